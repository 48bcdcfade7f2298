"""What the crawler costs, and whether it keeps its word: to hosts, through kills, from one crawl to the next."""
