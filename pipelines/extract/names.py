"""Names that documentation writes as variables, which its site's own files define: what a reader of the page sees.

The files are no part of a page's record, and a sentence without its subject is worth little.
"""

from __future__ import annotations

# `{aws}` in the AsciiDoc of AWS.
AWS = {
    "aws": "AWS", "arn-aws": "arn:aws:", "amazon-web-services": "Amazon Web Services", "aws-account": "AWS account",
    "aws-management-console": "AWS Management Console", "aws-region": "AWS Region", "aws-regions": "AWS Regions",
    "aws-services": "AWS services",
}  # fmt: skip
# `{{es}}` in the Markdown of Elastic.
ELASTIC = {
    "es": "Elasticsearch", "kib": "Kibana", "ls": "Logstash", "stack": "Elastic Stack", "ecloud": "Elastic Cloud",
    "ech": "Elastic Cloud Hosted", "ece": "Elastic Cloud Enterprise", "eck": "Elastic Cloud on Kubernetes",
    "serverless-full": "Elastic Cloud Serverless", "serverless-short": "Serverless", "esql": "ES|QL",
    "es-serverless": "Elasticsearch Serverless", "obs-serverless": "Elastic Observability Serverless",
    "sec-serverless": "Elastic Security Serverless", "agent": "Elastic Agent", "agents": "Elastic Agents",
    "fleet": "Fleet", "fleet-server": "Fleet Server", "fleet-cap": "Fleet", "beats": "Beats", "filebeat": "Filebeat",
    "metricbeat": "Metricbeat", "heartbeat": "Heartbeat", "auditbeat": "Auditbeat", "packetbeat": "Packetbeat",
    "winlogbeat": "Winlogbeat", "elastic-sec": "Elastic Security", "elastic-defend": "Elastic Defend",
    "observability": "Observability", "ml": "machine learning", "ml-cap": "Machine learning",
    "ilm": "index lifecycle management", "ilm-init": "ILM", "ilm-cap": "Index lifecycle management", "slm-init": "SLM",
    "ccs": "cross-cluster search", "ccs-init": "CCS", "ccr": "cross-cluster replication", "ccr-init": "CCR",
    "data-source": "data view", "data-sources": "data views", "data-source-cap": "Data view",
    "dfeed": "datafeed", "dfeeds": "datafeeds", "anomaly-job": "anomaly detection job",
    "anomaly-jobs": "anomaly detection jobs", "anomaly-detect": "anomaly detection", "transform": "transform",
    "transforms": "transforms", "stack-manage-app": "Stack Management", "security-features": "security features",
    "monitor-features": "monitoring features", "stack-monitor-app": "Stack Monitoring",
    "elastic-endpoint": "Elastic Endpoint", "integrations": "Integrations",
    "rules-ui": "Rules", "connectors-ui": "Connectors", "dev-tools-app": "Dev Tools",
}  # fmt: skip
# `{% data variables.product.prodname_actions %}` of GitHub, where the name is not just the words of the key.
GITHUB = {
    "dotcom": "GitHub", "github": "GitHub", "product_name": "GitHub", "actions": "GitHub Actions",
    "dotcom_the_website": "GitHub.com", "ghe_server": "GitHub Enterprise Server", "enterprise": "GitHub Enterprise",
    "ghe_cloud": "GitHub Enterprise Cloud", "ghe_managed": "GitHub AE", "desktop": "GitHub Desktop",
    "cli": "GitHub CLI", "copilot": "GitHub Copilot", "copilot_short": "Copilot", "codeql": "CodeQL",
    "pages": "GitHub Pages", "marketplace": "GitHub Marketplace", "mobile": "GitHub Mobile", "vscode": "VS Code",
    "github_codespaces": "GitHub Codespaces", "github_app": "GitHub App", "oauth_app": "OAuth app",
    "github_connect": "GitHub Connect", "GH_advanced_security": "GitHub Advanced Security",
    "pat_generic": "personal access token", "pat_v1": "personal access token (classic)",
    "pat_v2": "fine-grained personal access token", "container_registry": "Container registry",
}  # fmt: skip
# Headings that Kubernetes' documentation takes from a list: `## {{% heading "whatsnext" %}}`.
KUBERNETES_HEADINGS = {
    "prerequisites": "Before you begin", "whatsnext": "What's next", "objectives": "Objectives",
    "cleanup": "Cleaning up", "synopsis": "Synopsis", "options": "Options", "seealso": "See also",
    "parentoptions": "Options inherited from parent commands", "envvars": "Environment variables",
}  # fmt: skip
