"""Sending to S3: one put for a small file, a multipart upload for a large one, found again after a kill.

S3 does not tell which file an unfinished upload was begun for, and two files may share their first parts. So the first
part to be sent is a mark: the file's SHA-256, as the part after the last, which is not named when the upload is
completed and is thus no part of the object. An upload of the same key with another mark, or none, is given up.
"""

from __future__ import annotations

import functools
import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipelines.upload import PARTS_AT_ONCE, RECORD, Chunk, Content, Record, UploadError, send_at_once

#: About a minute and a half of exponential backoff with full jitter, on throttling, 5xx and lost connections.
_ATTEMPTS = 10


def record(bucket: str, key: str) -> Record | None:
    """What is known of an object, None where there is none. Raises UploadError."""
    with _told(bucket, key):
        try:
            head = _client(os.environ.get("AWS_ENDPOINT_URL")).head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
    return Record(head["ContentLength"], head["Metadata"].get(RECORD))


def send(content: Content, bucket: str, key: str) -> None:
    """Puts a file at a key. Raises UploadError."""
    client = _client(os.environ.get("AWS_ENDPOINT_URL"))
    with _told(bucket, key):
        if len(content.chunks) > 1:
            _send_parts(client, content, {"Bucket": bucket, "Key": key})
            return
        body = content.read(content.chunks[0]) if content.chunks else b""
        client.put_object(
            Bucket=bucket,
            Key=key,
            Body=body,
            Metadata={RECORD: content.sha256},
            **_checksum(bytes.fromhex(content.sha256)),
        )


def _send_parts(client: Any, content: Content, place: dict[str, str]) -> None:
    """The parts that are not there yet; then all of them become the object, which the server checks once more."""
    upload_id, there = _find_upload(client, content, place)
    if upload_id is None:
        begun = client.create_multipart_upload(**place, ChecksumAlgorithm="SHA256", Metadata={RECORD: content.sha256})
        upload_id = begun["UploadId"]
        mark = content.sha256.encode()
        client.upload_part(
            **place,
            UploadId=upload_id,
            PartNumber=len(content.chunks) + 1,
            Body=mark,
            **_checksum(hashlib.sha256(mark).digest()),
        )

    def send_part(chunk: Chunk) -> str:
        sent = client.upload_part(
            **place,
            UploadId=upload_id,
            PartNumber=chunk.number,
            Body=content.read(chunk),
            **_checksum(chunk.sha256),
        )
        return str(sent["ETag"])

    missing = [chunk for chunk in content.chunks if chunk.number not in there]
    for chunk, tag in zip(missing, send_at_once(send_part, missing), strict=True):
        there[chunk.number] = tag
    parts = [
        {"PartNumber": chunk.number, "ETag": there[chunk.number], "ChecksumSHA256": _base64(chunk.sha256)}
        for chunk in content.chunks
    ]
    try:
        client.complete_multipart_upload(**place, UploadId=upload_id, MultipartUpload={"Parts": parts})
    except client.exceptions.NoSuchUpload:
        # Completed already, by a try whose answer was lost or by another process: `upload` looks what is there.
        if record(place["Bucket"], place["Key"]) != Record(content.size, content.sha256):
            raise


def _find_upload(client: Any, content: Content, place: dict[str, str]) -> tuple[str | None, dict[int, str]]:
    """An unfinished upload of this very file, and the tags of its parts by number; others of the key are aborted."""
    found, there = None, {}
    mark = content.sha256.encode()
    last = Chunk(len(content.chunks) + 1, 0, len(mark), hashlib.sha256(mark).digest())
    for upload_id in [each["UploadId"] for each in _unfinished(client, *place.values()) if each["Key"] == place["Key"]]:
        pages = client.get_paginator("list_parts").paginate(**place, UploadId=upload_id)
        parts = {part["PartNumber"]: part for page in pages for part in page.get("Parts", ())}
        if found is None and last.number in parts and _holds(parts[last.number], last, mark):
            found = upload_id
            there = {
                chunk.number: str(parts[chunk.number]["ETag"])
                for chunk in content.chunks
                if chunk.number in parts and _holds(parts[chunk.number], chunk, content.read(chunk))
            }
        else:
            client.abort_multipart_upload(**place, UploadId=upload_id)
    return found, there


def _holds(part: dict[str, Any], chunk: Chunk, content: bytes) -> bool:
    """Whether a part that the server lists is this chunk, by checksum; servers that list none give an MD5 as tag."""
    if part["Size"] != chunk.size:
        return False
    if "ChecksumSHA256" in part:
        return bool(part["ChecksumSHA256"] == _base64(chunk.sha256))
    return bool(part["ETag"].strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest())


def remove(bucket: str, key: str) -> None:
    """Deletes an object; it may be gone already. Raises UploadError."""
    with _told(bucket, key):
        _client(os.environ.get("AWS_ENDPOINT_URL")).delete_object(Bucket=bucket, Key=key)


def abort_unfinished(bucket: str, prefix: str) -> None:
    """Gives up every unfinished upload of keys that begin so. Raises UploadError."""
    client = _client(os.environ.get("AWS_ENDPOINT_URL"))
    with _told(bucket, prefix):
        for each in list(_unfinished(client, bucket, prefix)):
            client.abort_multipart_upload(Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"])


def _unfinished(client: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Uploads", ())


def _checksum(digest: bytes) -> dict[str, str]:
    """What makes the server verify a body."""
    return {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": _base64(digest)}


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()


def s3_client() -> Any:
    """The client of the environment."""
    return _client(os.environ.get("AWS_ENDPOINT_URL"))


@functools.lru_cache(maxsize=4)
def _client(endpoint: str | None) -> Any:
    """Credentials and region come by the vendor's usual chain; clients are safe between threads."""
    config = Config(
        # The vendor's tools read AWS_REGION too, and Arrow does.
        region_name=os.environ.get("AWS_REGION"),
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=2 * PARTS_AT_ONCE,
        # As Arrow does: a server of one's own seldom has a name for each bucket.
        s3={"addressing_style": "path"} if endpoint else None,
    )
    return boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)


@contextmanager
def _told(bucket: str, key: str) -> Iterator[None]:
    """Turns what the library raises into one line."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, ClientError):
            told = error.response.get("Error", {})
            reason = f"{told.get('Code', 'unknown')}: {told.get('Message') or 'no reason given'}"
        raise UploadError(f"s3://{bucket}/{key}: {reason}") from None
