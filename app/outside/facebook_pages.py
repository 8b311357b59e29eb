"""Facebook Pages (https://developers.facebook.com/docs/pages-api): the pages that a person looks after, and their posts."""

import hashlib
import hmac
from urllib.parse import urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from app.errors import Forbidden
from app.outside.facebook_page_answers import (
    FIELDS,
    Page,
    PagePost,
    Person,
    TokenFacts,
    in_our_words,
)
from app.outside.meta_answers import NAME, Post, RawList, TokenAnswer, each, read, text
from app.outside.meta_graph import Fields, Granted, MetaGraph, Renewed, T

MOST_PAGES = 10


class FacebookPages(MetaGraph):
    """The door to Facebook Pages. A page's token made from a person's long one does not end by itself."""

    name, title = "facebook", "Facebook"

    def address(self, state: str, redirect_uri: str, verifier: str) -> str:
        """Return where Facebook asks."""
        asked = {
            "client_id": self._app_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": self._scopes,
            "state": state,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        return f"{self._url}/{self._version}/dialog/oauth?{urlencode(asked)}"

    async def connected(self, code: str, redirect_uri: str, verifier: str) -> list[Granted]:
        """Return the pages that a person looks after, none when there are none. Raises Forbidden and ServiceDown."""
        form = {"code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        short = await self._token(form)
        exchange = {"grant_type": "fb_exchange_token", "fb_exchange_token": short.access_token}
        person = (await self._token(exchange)).access_token
        me = await self._proven("me", {"fields": "id"}, Person, person)
        asked = {"fields": "id,name,access_token", "limit": MOST_PAGES}
        found = await self._proven("me/accounts", asked, RawList, person)
        return [
            Granted(
                account_id=str(page.id),
                account_name=text(page.name, NAME),
                subject=str(me.id),
                token=page.access_token,
                scopes=self._scopes.split(","),
            )
            for page in each(found, Page, MOST_PAGES)
        ]

    async def renewed(self, token: str) -> Renewed:
        """Return a newer token. Raises Forbidden and ServiceDown."""
        found = await self._token({"grant_type": "fb_exchange_token", "fb_exchange_token": token})
        return Renewed(found.access_token, found.lasts)

    async def revoke(self, token: str) -> None:
        """Take our app off the account of the person behind a page's token. Raises Forbidden, NotFound and ServiceDown.

        Only the app's own token may (https://developers.facebook.com/docs/graph-api/reference/user/permissions).
        """
        ours = f"{self._app_id}|{self._secret}"
        asked = {"input_token": token}
        found = await self._ask("GET", f"{self._graph}/debug_token", asked, TokenFacts, ours)
        if found.data.user_id is None:
            raise Forbidden("This connection opens nothing any more.", code="token_void")
        url = f"{self._graph}/{found.data.user_id}/permissions"
        await self._ask("DELETE", url, {}, object, ours)

    async def posts(self, account_id: str, token: str, limit: int) -> list[Post]:
        """Return the newest posts of a page. Raises Forbidden and ServiceDown."""
        asked = {"fields": FIELDS, "limit": limit}
        found = await self._proven(f"{account_id}/posts", asked, RawList, token)
        return read(found, PagePost, in_our_words, limit)

    async def _token(self, fields: dict[str, str]) -> TokenAnswer:
        ours = {"client_id": self._app_id, "client_secret": self._secret}
        # By POST, which the endpoint takes as well: then no address holds what is exchanged.
        url = f"{self._graph}/oauth/access_token"
        return await self._ask("POST", url, ours | fields, TokenAnswer)

    async def _proven(self, path: str, fields: Fields, answer: type[T], token: str) -> T:
        # The proof shows that the token did not reach us by another app (Graph: securing requests).
        proof = hmac.new(self._secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        asked = {**fields, "appsecret_proof": proof}
        return await self._ask("GET", f"{self._graph}/{path}", asked, answer, token)
