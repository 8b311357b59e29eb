"""Meilisearch: finds the numbers of public documents by words, with typos forgiven (meilisearch.com/docs)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.errors import NotFound, ServiceDown
from app.outside.breakers import Breaker

# Seconds. A search that takes longer is answered by PostgreSQL instead; the reader waits for neither.
SEARCH_SECONDS = 0.4
WRITE_SECONDS = 3.0


class Meilisearch:
    """The door to one server. It is told public fields only, and answers numbers; what is shown comes from our tables."""

    def __init__(self, url: str, key: str, *, breaker: Breaker) -> None:
        # The package costs 18 MB and a third of a second: only where it is used.
        from meilisearch_python_sdk import AsyncClient

        self.breaker = breaker
        self._client = AsyncClient(url, key or None, timeout=int(WRITE_SECONDS))

    async def settle(self, index: str, filters: Sequence[str], sorts: Sequence[str]) -> None:
        """Say by which attributes an index is filtered and sorted. Raises ServiceDown."""
        from meilisearch_python_sdk.models.settings import MeilisearchSettings

        async with self._asked(WRITE_SECONDS):
            settings = MeilisearchSettings(
                filterable_attributes=list(filters), sortable_attributes=list(sorts)
            )
            await self._client.index(index).update_settings(settings)

    async def put(self, index: str, documents: Sequence[dict[str, Any]]) -> None:
        """Add documents, or put them in the place of those with the same `id`. Raises ServiceDown."""
        async with self._asked(WRITE_SECONDS):
            await self._client.index(index).add_documents(documents, primary_key="id")

    async def drop(self, index: str, condition: str) -> None:
        """Remove the documents that fit a filter such as `feed_id = 7`. Raises ServiceDown."""
        async with self._asked(WRITE_SECONDS):
            await self._client.index(index).delete_documents_by_filter(condition)

    async def count(self, index: str) -> int:
        """Return how many documents an index holds. Raises NotFound when there is none of that name, ServiceDown."""
        async with self._asked(WRITE_SECONDS):
            return (await self._client.index(index).get_stats()).number_of_documents

    async def found(self, index: str, words: str, *, order: Sequence[str], limit: int) -> list[int]:
        """Return the ids of the documents that have all these words or near ones, in that order.

        Raises NotFound when there is no such index, ServiceDown.
        """
        async with self._asked(SEARCH_SECONDS):
            answer = await self._client.index(index).search(
                words,
                sort=list(order),
                limit=limit,
                attributes_to_retrieve=["id"],
                matching_strategy="all",
            )
            ids = [hit.get("id") for hit in answer.hits]
            if not all(type(found) is int for found in ids):
                raise ServiceDown("The search answers nonsense.", code="garbage")
            return ids

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def _asked(self, seconds: float) -> AsyncIterator[None]:
        """One request with its ceiling of time; the package's errors become ServiceDown."""
        from httpx2 import HTTPError
        from meilisearch_python_sdk.errors import (
            MeilisearchApiError,
            MeilisearchCommunicationError,
            MeilisearchError,
            MeilisearchTimeoutError,
        )

        async with self.breaker.request():
            try:
                async with asyncio.timeout(seconds):
                    yield
            except (TimeoutError, MeilisearchTimeoutError):
                raise down("timeout") from None
            except MeilisearchCommunicationError as error:
                raise down("unreachable") from error
            except MeilisearchApiError as error:
                if error.code == "index_not_found":
                    # A server that is new or was emptied is well.
                    raise NotFound("There is no such index.") from None
                raise down(f"http_{error.status_code}") from error
            except (MeilisearchError, HTTPError, ValueError) as error:
                raise down("garbage") from error


def down(code: str) -> ServiceDown:
    """The search does not help just now."""
    return ServiceDown("The search does not answer.", code=code)
