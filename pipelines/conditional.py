"""One object of a bucket that is written on a condition: that it is not there yet, or still what it was when read.

The condition is the bucket's to keep (`If-None-Match` and `If-Match`, or a generation), and ages are told by its clock.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import quote

from pipelines.azure_account import azure_account, credential_of
from pipelines.storage import StorageError

_TIMEOUT_S = 10
_FAILED = (409, 412)
_GOOGLE_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


class Changed(Exception):
    """The object is not what the condition says; nothing was written."""


@dataclass(frozen=True)
class Found:
    """An object as it was read. `etag` names this version, `age_s` are the seconds since it was written."""

    content: bytes
    etag: str
    age_s: float


class ConditionalObject(Protocol):
    """An object that can be read, and written on a condition. Both raise StorageError, in one line."""

    #: A version that no object ever is.
    never: str

    def read(self) -> Found | None:
        """The object, None where there is none."""

    def write(self, content: bytes, etag: str | None) -> str:
        """Writes it if it is still the version `etag` (None: if it is not there); returns the new version's name.

        Raises Changed.
        """


def conditional_object(url: str) -> ConditionalObject:
    """The object of an `s3://`, `az://` or `gs://` URL."""
    scheme, _, path = url.partition("://")
    container, _, key = path.partition("/")
    if scheme == "s3":
        return _S3Object(container, key)
    return _AzureObject(container, key) if scheme == "az" else _GoogleObject(container, key)


class _S3Object:
    """Credentials and address come from the environment, as the vendor's own tools read them."""

    never = '"0"'

    def __init__(self, bucket: str, key: str) -> None:
        import boto3
        from botocore.config import Config

        config = Config(connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"mode": "standard"})
        # Arrow, which reads and writes the rest of the run, takes the region from AWS_REGION; boto3 does not.
        self._client = boto3.client("s3", region_name=os.environ.get("AWS_REGION"), config=config)
        self._place = {"Bucket": bucket, "Key": key}

    def read(self) -> Found | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._client.get_object(**self._place)
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
            return Found(answer["Body"].read(), answer["ETag"], _age(headers, answer["LastModified"]))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise self._refusal(error) from None
        except BotoCoreError as error:
            raise self._refusal(error) from None

    def write(self, content: bytes, etag: str | None) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            return str(self._client.put_object(**self._place, Body=content, **condition)["ETag"])
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status in _FAILED or (etag and error.response["Error"]["Code"] == "NoSuchKey"):
                raise Changed from None
            raise self._refusal(error) from None
        except BotoCoreError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> StorageError:
        return StorageError(f"s3://{self._place['Bucket']}/{self._place['Key']}: {_first_line(error)}")


class _AzureObject:
    """A block blob; the account and how to sign in come from the environment, as the vendor's own tools read them."""

    never = '"0"'

    def __init__(self, container: str, key: str) -> None:
        from azure.storage.blob import BlobServiceClient

        timeouts: dict[str, Any] = {"connection_timeout": _TIMEOUT_S, "read_timeout": _TIMEOUT_S, "retry_total": 3}
        account = azure_account()
        service = BlobServiceClient(account.endpoint, credential_of(account), **timeouts)
        self._name = f"az://{container}/{key}"
        self._blob = service.get_blob_client(container, key)

    def read(self) -> Found | None:
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        headers: dict[str, str] = {}

        def note(response: Any) -> None:
            headers.update({name.lower(): value for name, value in response.http_response.headers.items()})

        try:
            answer = self._blob.download_blob(raw_response_hook=note)
            properties = answer.properties
            return Found(answer.readall(), properties.etag, _age(headers, properties.last_modified))
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise StorageError(f"{self._name}: {_first_line(error)}") from None

    def write(self, content: bytes, etag: str | None) -> str:
        from azure.core import MatchConditions
        from azure.core.exceptions import AzureError, HttpResponseError

        condition: dict[str, Any] = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        try:
            return str(self._blob.upload_blob(content, overwrite=etag is not None, **condition)["etag"])
        except AzureError as error:
            if isinstance(error, HttpResponseError) and error.status_code in _FAILED:
                raise Changed from None
            raise StorageError(f"{self._name}: {_first_line(error)}") from None


class _GoogleObject:
    """Its versions are generations. Who we are is what the environment says, as the vendor's own tools read it."""

    never = "1"

    def __init__(self, bucket: str, key: str) -> None:
        from google.auth import default
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import AuthorizedSession
        from requests import Session

        self._name = f"gs://{bucket}/{key}"
        emulator = os.environ.get("CLOUD_STORAGE_EMULATOR_ENDPOINT")
        try:
            identity = None if emulator else default(scopes=[_GOOGLE_SCOPE])[0]
        except GoogleAuthError as error:
            raise StorageError(f"{self._name}: {_first_line(error)}") from None
        self._session: Session = AuthorizedSession(identity) if identity else Session()  # type: ignore[no-untyped-call]
        self._service = (emulator or "https://storage.googleapis.com").rstrip("/")
        self._bucket, self._key = bucket, key

    def read(self) -> Found | None:
        url = f"{self._service}/storage/v1/b/{self._bucket}/o/{quote(self._key, safe='')}"
        answer = self._ask("GET", url, {"alt": "media"}, b"")
        if answer.status_code == 404:
            return None
        self._check(answer)
        written = parsedate_to_datetime(answer.headers["last-modified"])
        headers = {"date": answer.headers["date"]}
        return Found(answer.content, answer.headers["x-goog-generation"], _age(headers, written))

    def write(self, content: bytes, etag: str | None) -> str:
        url = f"{self._service}/upload/storage/v1/b/{self._bucket}/o"
        wanted = {"uploadType": "media", "name": self._key, "ifGenerationMatch": etag or "0"}
        answer = self._ask("POST", url, wanted, content)
        if answer.status_code in _FAILED:
            raise Changed
        self._check(answer)
        return str(answer.json()["generation"])

    def _ask(self, method: str, url: str, parameters: Mapping[str, str], content: bytes) -> Any:
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        try:
            return self._session.request(method, url, params=parameters, data=content, timeout=_TIMEOUT_S)
        except (GoogleAuthError, RequestException) as error:
            raise StorageError(f"{self._name}: {_first_line(error)}") from None

    def _check(self, answer: Any) -> None:
        if not answer.ok:
            raise StorageError(f"{self._name}: HTTP {answer.status_code} {answer.reason}")


def _age(headers: Mapping[str, str], written: datetime) -> float:
    """Seconds from a writing to an answer, both by the clock of who answers."""
    return max(0.0, (parsedate_to_datetime(headers["date"]) - written).total_seconds())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
