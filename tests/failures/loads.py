"""A small load of readers and savers, and what each request was answered."""

import asyncio
import dataclasses
from typing import Self

import httpx2


@dataclasses.dataclass
class Load:
    """Runs while its block lasts: the front page, the news, and links that a visitor saves."""

    client: httpx2.AsyncClient
    answers: list[httpx2.Response] = dataclasses.field(default_factory=list)
    saved: set[str] = dataclasses.field(default_factory=set)
    number: int = 0
    over: bool = False

    async def __aenter__(self) -> Self:
        """Begin with one saved link, so that every further one is the same visitor's."""
        await self.save()
        assert self.saved, self.answers[-1].text
        self.tasks = [asyncio.create_task(self.keep(one)) for one in (self.look, self.save)]
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Let the last requests end."""
        self.over = True
        await asyncio.gather(*self.tasks)

    async def keep(self, once: object) -> None:
        """Ask again and again, with a short rest."""
        while not self.over:
            await once()  # type: ignore[operator]
            await asyncio.sleep(0.02)

    async def look(self) -> None:
        """Read the front page and the news."""
        for path in ("/", "/news"):
            self.answers.append(await self.client.get(path))

    async def save(self) -> None:
        """Save a link; remember it when we were told that it is kept."""
        self.number += 1
        url = f"https://links.example/{self.number}"
        form = {"title": f"Link {self.number}", "url": url, "list": f"l{self.number // 40}"}
        answer = await self.client.post("/links", data=form)
        self.answers.append(answer)
        if answer.status_code in (201, 303):
            self.saved.add(url)

    def failed(self) -> list[httpx2.Response]:
        """The answers that were no success."""
        return [answer for answer in self.answers if answer.status_code >= 400]
