"""A plain Scrapy spider, in a process of its own: follows the links of its sites and keeps nothing.

`python -m benchmarks.crawl.plain_spider CONCURRENCY URL...`: Scrapy's defaults, but robots.txt is obeyed, what goes out at
once is what our crawler sends, and no line is logged for each page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import scrapy
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.http import Response, TextResponse
from scrapy.linkextractors import LinkExtractor


class PlainSpider(scrapy.Spider):
    """Every link in the scope, from every page."""

    name = "plain"

    def __init__(self, urls: list[str]) -> None:
        super().__init__()
        self.start_urls = urls
        self._links = LinkExtractor(allow_domains=[urlsplit(url).netloc for url in urls])

    def parse(self, response: Response) -> Iterator[scrapy.Request]:
        """Follow what a page links to."""
        if isinstance(response, TextResponse):
            for link in self._links.extract_links(response):
                yield scrapy.Request(link.url)


def main(arguments: list[str]) -> None:
    """Crawl."""
    settings = {
        "ROBOTSTXT_OBEY": True,
        "CONCURRENT_REQUESTS": 256,
        "CONCURRENT_REQUESTS_PER_DOMAIN": int(arguments[0]),
        "LOG_LEVEL": "WARNING",
    }
    process = AsyncCrawlerProcess(settings)
    process.crawl(PlainSpider, urls=arguments[1:])
    process.start()


if __name__ == "__main__":
    main(sys.argv[1:])
