"""Older versions of objects in buckets that keep them: what was overwritten or deleted is there until they go, too.

Google's buckets are not looked into: no client of them is among the project's packages.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines import storage


@dataclass(frozen=True)
class Versions:
    """What became of the older versions of an object: how many were deleted, how many could not be, and why not."""

    url: str
    deleted: int
    left: int
    why: str = ""


def delete_older(directory: str, names: Sequence[str]) -> list[Versions]:
    """Deletes the older versions of files of a directory that have some; nothing for a local one."""
    if not storage.is_remote(directory) or not names:
        return []
    scheme, _, path = directory.partition("://")
    container, _, prefix = path.partition("/")
    wanted = {f"{prefix.rstrip('/')}/{name}".lstrip("/") for name in names}
    if scheme == "s3":
        return list(_of_s3(container, prefix, wanted))
    if scheme == "az":
        return list(_of_azure(container, prefix, wanted))
    return [
        Versions(directory, 0, 1, "versions in gs:// buckets are not looked for; look whether the bucket keeps any")
    ]


def _of_s3(bucket: str, prefix: str, wanted: set[str]) -> Iterator[Versions]:
    from botocore.exceptions import BotoCoreError, ClientError

    from pipelines.upload_s3 import s3_client

    client = s3_client()
    older: dict[str, list[str]] = {}
    try:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                if each["Key"] in wanted and not each["IsLatest"]:
                    older.setdefault(each["Key"], []).append(each["VersionId"])
    except (BotoCoreError, ClientError) as error:
        yield Versions(f"s3://{bucket}/{prefix}", 0, 1, f"its versions cannot be listed: {_line(error)}")
        return
    for key, versions in sorted(older.items()):
        delete = functools.partial(_delete_of_s3, client, bucket, key)
        yield _deleted(f"s3://{bucket}/{key}", versions, delete, (BotoCoreError, ClientError))


def _delete_of_s3(client: Any, bucket: str, key: str, version: str) -> None:
    client.delete_object(Bucket=bucket, Key=key, VersionId=version)


def _of_azure(container: str, prefix: str, wanted: set[str]) -> Iterator[Versions]:
    from azure.core.exceptions import AzureError

    from pipelines.upload_azure import container_client

    client = container_client(container)
    older: dict[str, list[str]] = {}
    try:
        for blob in client.list_blobs(name_starts_with=prefix, include=["versions"]):
            if blob.name in wanted and blob.version_id and not blob.is_current_version:
                older.setdefault(blob.name, []).append(blob.version_id)
    except AzureError as error:
        yield Versions(f"az://{container}/{prefix}", 0, 1, f"its versions cannot be listed: {_line(error)}")
        return
    for name, versions in sorted(older.items()):
        delete = functools.partial(_delete_of_azure, client, name)
        yield _deleted(f"az://{container}/{name}", versions, delete, (AzureError,))


def _delete_of_azure(client: Any, name: str, version: str) -> None:
    client.get_blob_client(name).delete_blob(version_id=version)


def _deleted(
    url: str, versions: Sequence[str], delete: Callable[[str], None], refusals: tuple[type[Exception], ...]
) -> Versions:
    """Deletes versions of an object one by one; one that is refused is left, and costs no other."""
    deleted, why = 0, ""
    for version in versions:
        try:
            delete(version)
            deleted += 1
        except refusals as error:
            why = _line(error)
    return Versions(url, deleted, len(versions) - deleted, why)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def summary(found: Iterable[Versions]) -> list[str]:
    """A line for each object."""
    return [
        f"{each.url}: {each.deleted} older versions deleted" + (f", {each.left} left: {each.why}" if each.left else "")
        for each in found
    ]
