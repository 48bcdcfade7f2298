"""The outside world, as records: the web spider and the readers of dumps and archives."""

#: Product token of our crawler (RFC 9309, 2.2.1): in robots.txt, in X-Robots-Tag and in the User-Agent.
PRODUCT_TOKEN = "syscorpus"
