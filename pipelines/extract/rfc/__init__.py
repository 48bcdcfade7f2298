"""RFCs and Internet-Drafts to Markdown."""
