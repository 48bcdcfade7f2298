"""Sending to Azure: one put for a small file, blocks for a large one, found again after a kill.

A block is named by its place and its content, so that one which is there by name is there. Blocks become the blob, with
its metadata, in the one request that lists them; those that it does not list are forgotten.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobServiceClient,
    ContainerClient,
    ContentSettings,
    ExponentialRetry,
)

from pipelines.azure_account import AzureAccount, azure_account, credential_of
from pipelines.upload import RECORD, Chunk, Content, Record, UploadError, send_at_once

#: About two minutes of backoff on throttling, 5xx and lost connections: 1, 3, 5, 9 ... s, each plus or minus a second.
_RETRIES = 7


def record(container: str, key: str) -> Record | None:
    """What is known of a blob, None where there is none. Raises UploadError."""
    with _told(container, key):
        try:
            properties = _blob(container, key).get_blob_properties()
        except ResourceNotFoundError:
            return None
    return Record(properties.size, (properties.metadata or {}).get(RECORD))


def send(content: Content, container: str, key: str) -> None:
    """Puts a file at a key. Raises UploadError."""
    blob = _blob(container, key)
    with _told(container, key):
        if len(content.chunks) > 1:
            _send_blocks(blob, content)
            return
        body = content.read(content.chunks[0]) if content.chunks else b""
        blob.upload_blob(body, overwrite=True, validate_content="md5", **_properties(content))


def _send_blocks(blob: BlobClient, content: Content) -> None:
    """The blocks that are not there yet; then all of them become the blob."""
    there = _uncommitted(blob)

    def send_block(chunk: Chunk) -> None:
        blob.stage_block(_name(chunk), content.read(chunk), length=chunk.size, validate_content="md5")

    send_at_once(send_block, [chunk for chunk in content.chunks if there.get(_name(chunk)) != chunk.size])
    blocks = [BlobBlock(block_id=_name(chunk)) for chunk in content.chunks]
    blob.commit_block_list(blocks, validate_content=True, **_properties(content))


def _uncommitted(blob: BlobClient) -> dict[str, int]:
    """Sizes of the blocks that were sent and are not in the blob, by name."""
    try:
        _, blocks = blob.get_block_list("uncommitted")
    except ResourceNotFoundError:
        return {}
    return {block.id: block.size for block in blocks}


def remove(container: str, key: str) -> None:
    """Deletes a blob; it may be gone already. Raises UploadError."""
    with _told(container, key):
        try:
            _blob(container, key).delete_blob()
        except ResourceNotFoundError:
            pass


def _name(chunk: Chunk) -> str:
    """Names of the blocks of a blob must be of one length, of 64 characters at most."""
    return f"{chunk.number:05}-{chunk.sha256.hex()[:48]}"


def _properties(content: Content) -> dict[str, Any]:
    """What stands beside the bytes: the record of ours, and the MD5 that Azure's own tools check a download by."""
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in content.chunks:
        digest.update(content.read(chunk))
    settings = ContentSettings(content_md5=bytearray(digest.digest()))
    return {"metadata": {RECORD: content.sha256}, "content_settings": settings}


def container_client(container: str) -> ContainerClient:
    """The client of a container."""
    return _service(azure_account()).get_container_client(container)


def _blob(container: str, key: str) -> BlobClient:
    return _service(azure_account()).get_blob_client(container, key)


@functools.lru_cache(maxsize=4)
def _service(account: AzureAccount) -> BlobServiceClient:
    """The client of an account; it is safe between threads."""
    policy = ExponentialRetry(
        initial_backoff=1,
        increment_base=2,
        random_jitter_range=1,
        retry_total=_RETRIES,
        retry_connect=_RETRIES,
        retry_read=_RETRIES,
        retry_status=_RETRIES,
    )
    return BlobServiceClient(account.endpoint, credential=credential_of(account), retry_policy=policy)


@contextmanager
def _told(container: str, key: str) -> Iterator[None]:
    """Turns what the library raises into one line."""
    try:
        yield
    except AzureError as error:
        reason = str(error.message).splitlines()[0]
        code = getattr(error, "error_code", None)  # the storage library's own addition
        if code:
            reason = f"{getattr(code, 'value', code)}: {reason}"
        raise UploadError(f"az://{container}/{key}: {reason}") from None
