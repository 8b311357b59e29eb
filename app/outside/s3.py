"""The object store: any S3, through miniopy-async."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from io import BytesIO
from typing import BinaryIO, cast
from urllib.parse import SplitResult, urlsplit
from xml.etree.ElementTree import ParseError

import structlog
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from miniopy_async import Minio
from miniopy_async.commonconfig import ENABLED, CopySource
from miniopy_async.error import MinioException, S3Error
from miniopy_async.versioningconfig import VersioningConfig

from app.errors import NotFound, ServiceDown
from app.outside.breakers import Breaker
from app.outside.s3_objects import (
    BYTES_DOWNLOADED,
    BYTES_UPLOADED,
    SIGNED_URLS,
    UPLOAD_SECONDS,
    UPLOADS,
    ChunkReader,
    Listed,
    Stored,
    told,
)

log = structlog.get_logger("s3")

MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchBucket"})
AT_HAND = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
# Only a job waits for an upload, and the first one into a bucket may have to make room there.
SECONDS_MORE = 7.0
BYTES_A_SECOND = 2 * 2**20
# What a stream holds in memory (S3 takes no smaller parts), and how long one may take.
PART_BYTES = 5 * 2**20
HOURS_OF_A_STREAM = 2


class ObjectStore:
    """One S3 account. `suffix` is added to every bucket's name, and left out in metrics."""

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        suffix: str = "",
        *,
        breaker: Breaker,
        region: str = "us-east-1",
        timeout: float = 3.0,
        public_url: str = "",
    ) -> None:
        self._place = urlsplit(endpoint)
        self._public_place = urlsplit(public_url) if public_url else None
        self._keys = (access_key, secret_key)
        self._suffix = suffix
        self.breaker = breaker
        self._region = region
        self._timeout = timeout
        self._client: Minio | None = None
        self._session: ClientSession | None = None
        self._ready: set[str] = set()

    @property
    def is_public(self) -> bool:
        """Whether browsers can ask the store themselves, at an address of its own."""
        return self._public_place is not None

    async def put(
        self,
        bucket: str,
        key: str,
        content: bytes,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
    ) -> str | None:
        """Store an object; return its version where the bucket keeps versions. Raises ServiceDown."""
        label, status = _label(bucket), "failed"
        try:
            with UPLOAD_SECONDS.time():
                async with self._request(SECONDS_MORE + len(content) / BYTES_A_SECOND) as client:
                    written = await client.put_object(
                        self._name(bucket),
                        key,
                        BytesIO(content),
                        len(content),
                        content_type,
                        dict(metadata or {}),
                    )
            status = "ok"
        finally:
            UPLOADS.labels(label, status).inc()
        BYTES_UPLOADED.labels(label).inc(len(content))
        return cast(str | None, written.version_id)

    async def put_stream(
        self, bucket: str, key: str, chunks: AsyncIterator[bytes], content_type: str
    ) -> str | None:
        """Store an object whose length nobody knows yet, a part at a time; return its version. Raises ServiceDown."""
        reader, status = ChunkReader(chunks), "failed"
        try:
            async with self._request(HOURS_OF_A_STREAM * 3600) as client:
                written = await client.put_object(
                    self._name(bucket),
                    key,
                    cast(BinaryIO, reader),
                    -1,
                    content_type,
                    part_size=PART_BYTES,
                    num_parallel_uploads=1,
                )
            status = "ok"
        finally:
            UPLOADS.labels(_label(bucket), status).inc()
        BYTES_UPLOADED.labels(_label(bucket)).inc(reader.bytes)
        return cast(str | None, written.version_id)

    async def get(self, bucket: str, key: str, *, version_id: str | None = None) -> bytes:
        """Return an object whole. Raises NotFound and ServiceDown."""
        stored = await self.stream(bucket, key, version_id=version_id)
        return b"".join([chunk async for chunk in stored.chunks])

    async def stream(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        offset: int = 0,
        length: int = 0,
    ) -> Stored:
        """Return an object, or `length` bytes of it from `offset`, in chunks. Raises NotFound and ServiceDown."""
        async with self._request() as client:
            answer = await client.get_object(
                self._name(bucket), key, offset, length, version_id=version_id
            )
        return Stored(
            length=answer.content_length,
            content_type=answer.headers.get("Content-Type", "application/octet-stream"),
            etag=answer.headers.get("ETag", "").strip('"'),
            version_id=answer.headers.get("x-amz-version-id"),
            chunks=_chunks(answer, _label(bucket)),
            metadata=told(answer.headers),
        )

    async def has(self, bucket: str, key: str) -> bool:
        """Whether there is such an object now. Raises ServiceDown."""
        try:
            async with self._request() as client:
                await client.stat_object(self._name(bucket), key)
        except NotFound:
            return False
        return True

    async def copy_version(self, bucket: str, key: str, version_id: str) -> str | None:
        """Make a kept version the newest again; return the new version's id. Raises NotFound and ServiceDown."""
        source = CopySource(self._name(bucket), key, version_id=version_id)
        async with self._request(SECONDS_MORE) as client:
            written = await client.copy_object(self._name(bucket), key, source)
        return cast(str | None, written.version_id)

    async def delete(self, bucket: str, key: str, *, version_id: str | None = None) -> None:
        """Remove an object, or one version of it for good; a missing one is no error."""
        try:
            async with self._request() as client:
                await client.remove_object(self._name(bucket), key, version_id=version_id)
        except NotFound:
            return

    async def delete_versions(self, bucket: str, key: str) -> None:
        """Remove an object for good: every version of it, and every mark that it was deleted."""
        found = [one async for one in self.listed(bucket, key, versions=True) if one.key == key]
        for one in found:
            await self.delete(bucket, key, version_id=one.version_id)
        if not found:
            await self.delete(bucket, key)

    async def presigned(
        self, bucket: str, key: str, seconds: int, *, version_id: str | None = None
    ) -> str:
        """Return an address from which anybody can read the object for so many seconds."""
        SIGNED_URLS.inc()
        # The region is known, so this asks nobody. A signature holds for the host that it names.
        lasts, place = timedelta(seconds=seconds), self._public_place or self._place
        client = self._client_at(place, self._open_session())
        address = await client.presigned_get_object(
            self._name(bucket), key, lasts, version_id=version_id
        )
        return str(address)

    async def listed(
        self, bucket: str, prefix: str = "", *, versions: bool = False
    ) -> AsyncIterator[Listed]:
        """Yield the objects (or all versions and delete markers) under a prefix, by key."""
        async with self._request(seconds_more=3600) as client:
            async for found in client.list_objects(
                self._name(bucket), prefix, recursive=True, include_version=versions
            ):
                yield Listed(
                    found.object_name,
                    found.version_id,
                    found.size or 0,
                    found.last_modified,
                    found.is_delete_marker,
                    # The library leaves it as the text of the XML.
                    found.is_latest == "true" or not versions,
                )

    async def ensure_buckets(self, buckets: Mapping[str, bool]) -> None:
        """Make the buckets that are missing; true says that the bucket keeps versions."""
        for bucket, versioned in buckets.items():
            async with self._request(SECONDS_MORE) as client:
                await self._ensure(client, self._name(bucket), versioned)

    async def ensure_bucket(self, bucket: str, *, versioned: bool) -> None:
        """Make a bucket before its first use by this process. Raises ServiceDown.

        Some stores (SeaweedFS) make a missing bucket by themselves, without versions. A key that may not
        make buckets is no fault: then the operator has made them.
        """
        if bucket in self._ready:
            return
        try:
            await self.ensure_buckets({bucket: versioned})
        except ServiceDown as down:
            if down.code != "storage_refused":
                raise
            log.warning("the store does not let us set up a bucket", bucket=bucket)
        self._ready.add(bucket)

    async def answers(self) -> bool:
        """Whether the store takes our keys; any bucket's name will do to ask. Raises ServiceDown."""
        async with self._request() as client:
            await client.bucket_exists(self._name("homepage-news"))
        return True

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = self._client = None

    async def _ensure(self, client: Minio, name: str, versioned: bool) -> None:
        if not await client.bucket_exists(name):
            try:
                await client.make_bucket(name)
            except S3Error as error:
                # Another process was quicker.
                if error.code not in AT_HAND:
                    raise
        if versioned:
            await client.set_bucket_versioning(name, VersioningConfig(ENABLED))

    @asynccontextmanager
    async def _request(self, seconds_more: float = 0.0) -> AsyncIterator[Minio]:
        async with self.breaker.request():
            try:
                async with asyncio.timeout(self._timeout + seconds_more):
                    yield self._minio()
            except S3Error as error:
                if error.code in MISSING:
                    raise NotFound("There is no such file.") from error
                raise _down("storage_refused") from error
            except TimeoutError as error:
                raise _down("timeout") from error
            except (MinioException, ClientError, OSError, ParseError, UnicodeError) as error:
                raise _down("unreachable") from error

    def _minio(self) -> Minio:
        if self._client is None:
            self._client = self._client_at(self._place, self._open_session())
        return self._client

    def _client_at(self, place: SplitResult, session: ClientSession) -> Minio:
        return Minio(
            place.netloc,
            *self._keys,
            secure=place.scheme == "https",
            region=self._region,
            session=session,
        )

    def _open_session(self) -> ClientSession:
        if self._session is None:
            # The library's own session retries five times within minutes; ours fails at once,
            # and the job that called tries again.
            silence = self._timeout + SECONDS_MORE
            self._session = ClientSession(
                connector=TCPConnector(limit=32),
                timeout=ClientTimeout(total=None, connect=self._timeout, sock_read=silence),
                auto_decompress=False,
            )
        return self._session

    def _name(self, bucket: str) -> str:
        return bucket + self._suffix


async def _chunks(answer: ClientResponse, label: str) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.content.iter_chunked(64 * 1024):
            BYTES_DOWNLOADED.labels(label).inc(len(chunk))
            yield chunk
    except (ClientError, OSError) as error:
        raise _down("cut_off") from error
    finally:
        answer.close()


def _label(bucket: str) -> str:
    return bucket.removeprefix("homepage-")


def _down(code: str) -> ServiceDown:
    return ServiceDown("Files are not available at the moment.", code=code)
