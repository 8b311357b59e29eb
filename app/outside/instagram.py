"""Instagram professional accounts (https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login)."""

from typing import Any
from urllib.parse import urlencode

from app.outside.instagram_answers import FIELDS, CodeAnswer, Me, Media, in_our_words
from app.outside.meta_answers import NAME, Post, RawList, TokenAnswer, read, text
from app.outside.meta_graph import Granted, MetaGraph, Renewed, down


class Instagram(MetaGraph):
    """The door to Instagram: tokens of 60 days, which are renewed while they hold."""

    name, title = "instagram", "Instagram"

    def __init__(self, app_id: str, app_secret: str, *, token_url: str, **facts: Any) -> None:
        super().__init__(app_id, app_secret, **facts)
        self._token_url = token_url

    def address(self, state: str, redirect_uri: str, verifier: str) -> str:
        """Return where Instagram asks; it takes no PKCE."""
        asked = {
            "client_id": self._app_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": self._scopes,
            "state": state,
        }
        return f"{self._url}/oauth/authorize?{urlencode(asked)}"

    async def connected(self, code: str, redirect_uri: str, verifier: str) -> list[Granted]:
        """Return the one account that a code opens. Raises Forbidden and ServiceDown."""
        form = {
            "client_id": self._app_id,
            "client_secret": self._secret,
            "grant_type": "authorization_code",
            "redirect_uri": redirect_uri,
            "code": code,
        }
        answer = await self._ask("POST", self._token_url, form, CodeAnswer)
        short = answer.data[0] if answer.data else answer
        if not short.access_token:
            raise down("garbage")
        fields = {"grant_type": "ig_exchange_token", "client_secret": self._secret}
        long = await self._token("access_token", fields | {"access_token": short.access_token})
        me = await self._ask(
            "GET", f"{self._graph}/me", {"fields": "id,user_id,username"}, Me, long.access_token
        )
        account_id = str(me.user_id or me.id or short.user_id)
        if not account_id:
            raise down("garbage")
        return [
            Granted(
                account_id=account_id,
                account_name=text(me.username, NAME),
                subject=str(short.user_id or me.id or account_id),
                token=long.access_token,
                expires_in=long.lasts,
                scopes=short.scopes,
            )
        ]

    async def renewed(self, token: str) -> Renewed:
        """Return a token of another 60 days. Raises Forbidden and ServiceDown."""
        fields = {"grant_type": "ig_refresh_token", "access_token": token}
        found = await self._token("refresh_access_token", fields)
        return Renewed(found.access_token, found.lasts)

    async def revoke(self, token: str) -> None:
        """Take our app off the person's account. Raises Forbidden, NotFound and ServiceDown."""
        await self._ask("DELETE", f"{self._graph}/me/permissions", {}, object, token)

    async def posts(self, account_id: str, token: str, limit: int) -> list[Post]:
        """Return the newest posts of the account whose token it is. Raises Forbidden and ServiceDown."""
        asked = {"fields": FIELDS, "limit": limit}
        found = await self._ask("GET", f"{self._graph}/me/media", asked, RawList, token)
        return read(found, Media, in_our_words, limit)

    async def _token(self, path: str, fields: dict[str, str]) -> TokenAnswer:
        # Both endpoints know no version, and take the token as a field alone.
        return await self._ask("GET", f"{self._host}/{path}", fields, TokenAnswer)
