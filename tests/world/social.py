"""Instagram and Facebook Pages: the pages that ask, codes, tokens, posts with pictures, and signed requests."""

import base64
import hashlib
import hmac
import html
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.world.identities import PAGE, Person, Refused, Vendor
from tests.world.press import drawn
from tests.world.vendors import Facebook

DAYS_60 = 60 * 86_400
EVERY = 7 * 3600
SHOWN = 40
PICTURE_HOSTS = {"instagram": "pictures.instagram.test", "facebook": "pictures.facebook.test"}
WORDS = (
    "Morning light over the harbour.",
    "Three loaves, one of them straight.",
    "The workshop is open until six today. Come by and see what became of the old door.",
    "Rain again, and nobody minds.",
    "Straßenbahnhaltestellenbeleuchtung: done. <b>Really</b> & truly.",
    "صباح الخير من المرفأ",
    "",
    "Thank you for 999 letters.",
)
TOPICS = ("travel", "food", "local", "environment", "sports")


def stamp(at: float) -> str:
    """A time as the Graph says it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(at))


class SocialVendor(Vendor):
    """What both share: void tokens in the Graph's words, posts by the clock, and requests that they sign."""

    pictures: str
    callback = ""

    def start(self) -> None:
        """Nothing is revoked, and posts are made by the clock until a test says otherwise."""
        self.said: list[dict[str, Any]] | None = None

    def bearer(self, request: Request) -> str:
        """The token of a request, which the product sends in the header alone."""
        return request.headers.get("authorization", "").removeprefix("Bearer ")

    def void(self) -> Response:
        """A token that is not taken any more."""
        error = {"message": "Session has expired.", "type": "OAuthException", "code": 190}
        return JSONResponse({"error": error}, 400)

    def forget_tokens(self) -> None:
        """Forget every token: people took the app away."""
        self.access_tokens.clear()

    def numbers(self) -> range:
        """The numbers of the newest posts, the newest first: one each seven hours."""
        newest = int(self.now() // EVERY)
        return range(newest, newest - SHOWN, -1)

    def picture(self, number: int, topic: str | None = None) -> str:
        """Where a picture lies; its host is led to this server."""
        name = f"{topic or TOPICS[number % len(TOPICS)]}-{number}-640x360.jpg"
        return f"https://{self.pictures}/pictures/{name}?sig={secrets.token_hex(4)}"

    async def drawn(self, request: Request) -> Response:
        """One picture."""
        return await drawn(request.path_params["name"])

    def signed_request(self, subject: str, issued_at: float | None = None, **more: Any) -> str:
        """A request about a person as the platform signs it."""
        said = {"algorithm": "HMAC-SHA256", "user_id": subject, **more}
        said["issued_at"] = int(time.time() if issued_at is None else issued_at)
        body = encoded(json.dumps(said).encode())
        proof = hmac.new(self.client_secret.encode(), body.encode(), hashlib.sha256).digest()
        return f"{encoded(proof)}.{body}"

    async def apps(self, request: Request) -> Response:
        """The person's own page at the platform: take the app away, or have its data deleted."""
        words = "Each button sends the site a request that this platform signed."
        rows = "".join(
            f'<form method="post"><input type="hidden" name="who" value="{html.escape(name)}">'
            f'<button name="what" value="deauthorizations">Remove the app of {person.name}</button>'
            f'<button name="what" value="data-deletions">Delete the data of {person.name}</button></form>'
            for name, person in self.people.items()
        )
        return HTMLResponse(PAGE.format(title=f"{self.title}: apps", words=words, form=rows))

    async def act(self, request: Request) -> Response:
        """Send the signed request to the site that connected last, and show its answer."""
        async with request.form() as form:
            who, what = str(form["who"]), str(form["what"])
        if not self.callback:
            return HTMLResponse("No site connected an account yet.", 409)
        site = self.callback.split("/social/")[0]
        signed = {"signed_request": self.signed_request(self.people[who].subject)}
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{site}/social/meta/{what}", data=signed)
        return Response(answer.text, answer.status_code, media_type="application/json")


class Instagram(SocialVendor):
    """Professional accounts, one a person."""

    title, name = "Instagram", "instagram"
    pictures = PICTURE_HOSTS["instagram"]

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.start()
        self.people = {
            "ada": Person("17900000000001001", "ada.makes", None),
            "ben": Person("17900000000001002", "ben_bakes", None),
        }
        self.app = Starlette(
            routes=[
                Route("/oauth/authorize", self.ask),
                Route("/consent", self.consent, methods=["POST"]),
                Route("/oauth/access_token", self.token, methods=["POST"]),
                Route("/access_token", self.exchange),
                Route("/refresh_access_token", self.refresh),
                Route("/{version}/me", self.me),
                Route("/{version}/me/media", self.media),
                Route("/{version}/me/permissions", self.leave, methods=["DELETE"]),
                Route("/pictures/{name}", self.drawn),
                Route("/apps", self.apps),
                Route("/apps", self.act, methods=["POST"]),
            ]
        )

    def refusal(self, reason: str) -> Response:
        """The shape of this token endpoint's errors."""
        kind = "OAuthException" if reason == "invalid_grant" else "OAuthAppException"
        body = {"error_type": kind, "code": 400, "error_message": "Cannot be used."}
        return JSONResponse(body, 400 if reason == "invalid_grant" else 401)

    def tokens(self, fields: dict[str, str]) -> dict[str, Any]:
        """A token of an hour for a code, wrapped as the documentation has it. Raises Refused."""
        self.check_client(fields)
        code = self.taken(fields)
        self.callback = code.asked["redirect_uri"]
        scope = code.asked.get("scope", "")
        token = self.access_for(code.person)
        found = {"access_token": token, "user_id": code.person.subject, "permissions": scope}
        return {"data": [found]}

    async def exchange(self, request: Request) -> Response:
        """A token of 60 days for one of an hour."""
        asked = request.query_params
        right = asked.get("client_secret") == self.client_secret
        if asked.get("grant_type") != "ig_exchange_token" or not right:
            return self.void()
        return self.longer(asked.get("access_token", ""))

    async def refresh(self, request: Request) -> Response:
        """Another 60 days for a token that still holds."""
        if request.query_params.get("grant_type") != "ig_refresh_token":
            return self.void()
        return self.longer(request.query_params.get("access_token", ""))

    def longer(self, token: str) -> Response:
        """A long token for the person of another one."""
        person = self.access_tokens.get(token)
        if person is None:
            return self.void()
        return JSONResponse(
            {
                "access_token": self.access_for(person),
                "token_type": "bearer",
                "expires_in": DAYS_60 - 15,
            }
        )

    async def me(self, request: Request) -> Response:
        """Whose token it is."""
        person = self.access_tokens.get(self.bearer(request))
        if person is None:
            return self.void()
        number = f"178414{person.subject[-4:]}"
        return JSONResponse({"id": person.subject, "user_id": number, "username": person.name})

    async def leave(self, request: Request) -> Response:
        """The app is taken off the person's account: none of its tokens is good any more."""
        person = self.access_tokens.get(self.bearer(request))
        if person is None:
            return self.void()
        for token in [key for key, whose in self.access_tokens.items() if whose == person]:
            del self.access_tokens[token]
        return JSONResponse({"success": True})

    async def media(self, request: Request) -> Response:
        """The newest posts."""
        if self.bearer(request) not in self.access_tokens:
            return self.void()
        many = int(request.query_params.get("limit", 25))
        said = [self.post(number) for number in self.numbers()] if self.said is None else self.said
        return JSONResponse({"data": said[:many], "paging": {"cursors": {"after": "x"}}})

    def post(self, number: int) -> dict[str, Any]:
        """One post; its kind and words come from its number."""
        kind = ("IMAGE", "IMAGE", "CAROUSEL_ALBUM", "VIDEO", "HOLOGRAM")[number % 5]
        post = {
            "id": str(18_000_000_000_000_000 + number),
            "caption": WORDS[number % len(WORDS)],
            "media_type": kind,
            "media_product_type": "REELS" if kind == "VIDEO" else "FEED",
            "media_url": self.picture(number),
            "permalink": f"https://www.instagram.com/p/{number:x}/",
            "timestamp": stamp(number * EVERY),
            "like_count": number % 90,
            "comments_count": number % 7,
        }
        if kind == "VIDEO":
            post |= {"media_url": f"https://{self.pictures}/v.mp4"}
            post["thumbnail_url"] = self.picture(number)
        if kind == "CAROUSEL_ALBUM":
            inside = [
                {"media_type": "IMAGE", "media_url": self.picture(number, topic)}
                for topic in ("travel", "food")
            ]
            post["children"] = {"data": inside}
        return post

    @property
    def env(self) -> dict[str, str]:
        """The settings that lead here."""
        return {
            "INSTAGRAM_APP_ID": self.client_id,
            "INSTAGRAM_APP_SECRET": self.client_secret,
            "INSTAGRAM_URL": self.url,
            "INSTAGRAM_TOKEN_URL": f"{self.url}/oauth/access_token",
            "INSTAGRAM_GRAPH_URL": self.url,
        }


class FacebookWithPages(Facebook, SocialVendor):
    """Facebook's sign-in, and the pages of its people: Ada looks after two, Ben after none."""

    pictures = PICTURE_HOSTS["facebook"]

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.start()
        self.pages = {"1001": {"7001": "Harbour Books", "7002": "Friends of the Old Tram"}}
        self.page_tokens: dict[str, str] = {}
        for route in (
            Route("/{version}/oauth/access_token", self.token, methods=["POST"]),
            Route("/{version}/me/accounts", self.accounts),
            Route("/{version}/{page}/posts", self.page_posts),
            Route("/{version}/debug_token", self.facts),
            Route("/{version}/{subject:int}/permissions", self.remove, methods=["DELETE"]),
            Route("/pictures/{name}", self.drawn),
            Route("/apps", self.apps),
            Route("/apps", self.act, methods=["POST"]),
        ):
            self.app.router.routes.insert(0, route)

    def tokens(self, fields: dict[str, str]) -> dict[str, Any]:
        """As for a sign-in; remembers whom signed requests go to. Raises Refused."""
        if fields.get("fb_exchange_token") in self.page_tokens:
            page = self.page_tokens[fields["fb_exchange_token"]]
            return {"access_token": self.page_token(page), "expires_in": DAYS_60}
        if "/social/" in fields.get("redirect_uri", ""):
            self.callback = fields["redirect_uri"]
        return super().tokens(fields)

    def forget_tokens(self) -> None:
        """Forget the tokens of the pages too."""
        super().forget_tokens()
        self.page_tokens.clear()

    def page_token(self, page: str) -> str:
        """A new token of a page."""
        token = secrets.token_urlsafe(24)
        self.page_tokens[token] = page
        return token

    def proven_token(self, request: Request) -> str:
        """The token of a request with the app's proof. Raises Refused."""
        token = self.bearer(request)
        proof = hmac.new(self.client_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        if request.query_params.get("appsecret_proof") != proof:
            raise Refused("no proof")
        return token

    async def me(self, request: Request) -> Response:
        """Who a token belongs to, by header or, for a sign-in, by field."""
        if not self.bearer(request):
            return await super().me(request)
        try:
            person = self.access_tokens.get(self.proven_token(request))
        except Refused:
            person = None
        return JSONResponse({"id": person.subject}) if person else self.void()

    async def accounts(self, request: Request) -> Response:
        """The pages that a person looks after."""
        try:
            person = self.access_tokens.get(self.proven_token(request))
        except Refused:
            person = None
        if person is None:
            return self.void()
        mine = self.pages.get(person.subject, {})
        found = [
            {"id": page, "name": name, "access_token": self.page_token(page), "tasks": ["ANALYZE"]}
            for page, name in mine.items()
        ]
        return JSONResponse({"data": found})

    def is_us(self, request: Request) -> bool:
        """Whether the app asks with its own token."""
        return self.bearer(request) == f"{self.client_id}|{self.client_secret}"

    async def facts(self, request: Request) -> Response:
        """Whose yes a page's token stands for."""
        if not self.is_us(request):
            return self.void()
        page = self.page_tokens.get(request.query_params.get("input_token", ""))
        if page is None:
            return JSONResponse({"data": {"is_valid": False, "scopes": []}})
        subject = next(who for who, pages in self.pages.items() if page in pages)
        found = {"type": "PAGE", "is_valid": True, "profile_id": page, "user_id": subject}
        return JSONResponse({"data": found})

    async def remove(self, request: Request) -> Response:
        """The app is taken off a person's account, and no token for it or its pages is good any more."""
        if not self.is_us(request):
            return self.void()
        subject = str(request.path_params["subject"])
        gone = [key for key, whose in self.access_tokens.items() if whose.subject == subject]
        for token in gone:
            del self.access_tokens[token]
        for token in [key for key, page in self.page_tokens.items() if page in self.pages[subject]]:
            del self.page_tokens[token]
        return JSONResponse({"success": True})

    async def page_posts(self, request: Request) -> Response:
        """The newest posts of a page, to its own token."""
        try:
            page = self.page_tokens.get(self.proven_token(request))
        except Refused:
            page = None
        if page is None or page != request.path_params["page"]:
            return self.void()
        many = int(request.query_params.get("limit", 25))
        said = [self.post(page, n) for n in self.numbers()] if self.said is None else self.said
        return JSONResponse({"data": said[:many]})

    def post(self, page: str, number: int) -> dict[str, Any]:
        """One post of a page."""
        kind = ("photo", "link", "album", "event", "")[number % 5]
        post: dict[str, Any] = {
            "id": f"{page}_{number}",
            "message": WORDS[number % len(WORDS)],
            "created_time": stamp(number * EVERY),
            "permalink_url": f"https://www.facebook.com/{page}/posts/{number}",
            "likes": {"data": [], "summary": {"total_count": number % 40}},
            "comments": {"data": [], "summary": {"total_count": number % 5}},
        }
        if kind:
            post["full_picture"] = self.picture(number)
            post["attachments"] = {"data": [{"media_type": kind}]}
        return post


def encoded(content: bytes) -> str:
    """Base64 for addresses, without its padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


SOCIAL = (FacebookWithPages, Instagram)
