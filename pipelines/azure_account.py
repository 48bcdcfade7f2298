"""Which Azure account, where, and by which right: from the variables that the vendor's own tools read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pipelines.storage import StorageError


@dataclass(frozen=True)
class AzureAccount:
    """An account and the URL of its blob service. With neither key nor SAS, the default chain of credentials asks."""

    name: str
    endpoint: str
    key: str | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)

    def authorities(self) -> tuple[str, str]:
        """Hosts of the blob and the data lake service as Arrow wants them: `.suffix`, or an emulator's `host:port`."""
        host = urlsplit(self.endpoint).netloc
        if host.startswith(f"{self.name}."):
            suffix = host.removeprefix(self.name)
            return suffix, suffix.replace(".blob.", ".dfs.", 1)
        return host, host

    @property
    def scheme(self) -> str:
        """http or https."""
        return urlsplit(self.endpoint).scheme


def azure_account() -> AzureAccount:
    """The account of the environment: AZURE_STORAGE_CONNECTION_STRING, which an emulator needs; or
    AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or neither. Raises StorageError.
    """
    text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
    if text:
        return _parse(text)
    name = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not name:
        raise StorageError("az://: neither AZURE_STORAGE_ACCOUNT nor AZURE_STORAGE_CONNECTION_STRING is set")
    return AzureAccount(
        name,
        f"https://{name}.blob.core.windows.net",
        os.environ.get("AZURE_STORAGE_KEY") or None,
        _token(os.environ.get("AZURE_STORAGE_SAS_TOKEN")),
    )


def credential_of(account: AzureAccount) -> Any:
    """What signs in to an account: its key, its SAS, or whoever the environment says we are."""
    from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential

    if account.key:
        return AzureNamedKeyCredential(account.name, account.key)
    if account.sas:
        return AzureSasCredential(account.sas)
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def _parse(text: str) -> AzureAccount:
    """A connection string; what is wrong with it is said without it."""
    pairs = (each.partition("=") for each in text.strip().split(";") if each)
    values = {name.strip().lower(): value.strip() for name, _, value in pairs}
    endpoint = values.get("blobendpoint", "").rstrip("/")
    name = values.get("accountname") or _name_in(endpoint)
    if not name:
        raise StorageError("az://: AZURE_STORAGE_CONNECTION_STRING has no AccountName")
    if not endpoint:
        suffix = values.get("endpointsuffix", "core.windows.net")
        endpoint = f"{values.get('defaultendpointsprotocol', 'https')}://{name}.blob.{suffix}"
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise StorageError("az://: the BlobEndpoint of AZURE_STORAGE_CONNECTION_STRING is not an http or https URL")
    return AzureAccount(name, endpoint, values.get("accountkey") or None, _token(values.get("sharedaccesssignature")))


def _name_in(endpoint: str) -> str:
    """The account in the URL of a service: the last of its path, else the first of its host."""
    parts = urlsplit(endpoint)
    return parts.path.strip("/") or parts.netloc.partition(".")[0]


def _token(sas: str | None) -> str | None:
    return sas.removeprefix("?") if sas else None
