"""Registering an OAuth client: provider, address, credentials; the client's own pages go on from
there with test and access."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from jupyter_oauthconn.catalog import ProviderEntry, resolve_steps
from jupyter_oauthconn.errors import NotAllowedError, OAuthConnError, ProviderUnavailableError
from jupyter_oauthconn.model import AuthMethod

from ...desk import AdminPage, Answer, Desk, GoTo, Page
from ...forms.client_form import PUBLIC, WITH_SECRET, ClientForm, endpoint
from ...forms.client_values import check_where, read_new
from ...forms.reading import PARAMETER, placed
from ...views import Group, summary
from .listing import SECTION, management

STEPS = ("Provider", "Credentials", "Test", "Who may use it")
_LOOPBACK = frozenset({"localhost", "127.0.0.1"})
_NOT_KEPT = frozenset({"_xsrf", "page_key", "version"})


def _choose(desk: Desk) -> Answer:
    entries = sorted(desk.broker.providers(), key=lambda one: one.title.lower())
    return Page(
        template="providers.html",
        title="Register an OAuth client",
        section=SECTION,
        context={**management(desk), "steps": STEPS, "entries": entries},
    )


def _look(desk: Desk) -> Answer:
    _check_allowed(desk)
    return _where(desk, _entry(desk), {}, {})


def _back(desk: Desk) -> Answer:
    return _where(desk, _entry(desk), desk.form, {})


def _go_on(desk: Desk) -> Answer:
    _check_allowed(desk)
    entry, errors = _entry(desk), check_where(_entry(desk), desk.form)
    name = desk.form.get("name", "").strip()
    if not errors and name in {one.name for one in desk.broker.clients()}:
        errors = {"name": f"There is an OAuth client {name!r} already. Choose another name."}
    unchecked = False
    if not errors and desk.do != "unchecked":
        errors, unchecked = _issuer_errors(desk, entry)
    if errors:
        return _where(desk, entry, desk.form, errors, unchecked=unchecked)
    typed = dict(desk.form)
    usual = "\n".join(_redirect_uris(desk, entry, name))
    # another name after going back: what nobody changed by hand follows
    if _lines(typed.get("redirect_uris", "")) == _lines(typed.get("usual_uris", "")):
        typed["redirect_uris"] = usual
    typed["usual_uris"] = usual
    public = entry.auth_methods[0] is AuthMethod.NONE
    typed.setdefault("credential", PUBLIC if public else WITH_SECRET)
    return _credentials(desk, entry, typed, {})


def _issuer_errors(desk: Desk, entry: ProviderEntry) -> tuple[dict[str, str], bool]:
    """What the issuer's metadata has to say against it, while it can still be mended; and whether
    that may pass by itself."""
    issuer = desk.form.get("issuer", "").strip()
    if not issuer or not entry.discovery or desk.form.get(endpoint("token"), "").strip():
        return {}, False
    try:
        desk.service.profiles.metadata(issuer, (issuer,), fresh=True)
    except OAuthConnError as error:
        told = f"{error.message} {error.hint}"
        return {"issuer": told}, isinstance(error, ProviderUnavailableError)
    return {}, False


def _register(desk: Desk) -> Answer:
    entry = _entry(desk)
    draft, errors = read_new(entry, desk.form, desk.secret, desk.now)
    errors = {**check_where(entry, desk.form), **errors}
    if not errors:
        try:
            desk.broker.add_client(draft)
        except NotAllowedError:
            raise
        except OAuthConnError as error:
            errors = placed(error, {*desk.form, "client_secret"})
    if not errors:
        return GoTo(address=desk.at(f"clients/{draft.name}/test", step="3"), done="registered")
    first = {
        one.name
        for group in ClientForm(entry=entry, typed=desk.form).where()
        for one in group.fields
    }
    if first.intersection(errors):
        return _where(desk, entry, desk.form, errors)
    return _credentials(desk, entry, desk.form, errors)


def _where(
    desk: Desk,
    entry: ProviderEntry,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    *,
    unchecked: bool = False,
) -> Page:
    """`unchecked`: the issuer has not answered as it should, and may be taken all the same."""
    form = ClientForm(entry=entry, typed=typed, errors=errors)
    return _step(desk, form, 1, form.where(), unchecked=unchecked)


def _credentials(
    desk: Desk, entry: ProviderEntry, typed: Mapping[str, str], errors: Mapping[str, str]
) -> Page:
    form = ClientForm(entry=entry, typed=typed, errors=errors)
    groups = [
        form.credentials(),
        form.coming_back(folded=True),
        form.asked(form.authentication(public=False)),
        form.lifetimes(),
        form.described(with_title=False),
    ]
    return _step(desk, form, 2, groups)


def _step(
    desk: Desk, form: ClientForm, number: int, groups: list[Group], *, unchecked: bool = False
) -> Page:
    entry, typed, errors = form.entry, form.typed, form.errors
    shown = {one.name for group in groups for one in group.fields}
    uris = _lines(typed.get("redirect_uris", ""))
    return Page(
        template="register.html",
        title="Register an OAuth client by its issuer"
        if entry.stands_for_any
        else f"Register an OAuth client for {entry.title}",
        section=SECTION,
        status=HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK,
        context={
            **management(desk),
            "steps": STEPS,
            "step": number,
            "entry": entry,
            "at": _called(entry, typed),
            "todo": _todo(entry, typed, uris) if number > 1 else [],
            "uris": uris,
            "here": _here(desk, entry, desk.form.get("name", "").strip()),
            "unchecked": unchecked,
            "groups": groups,
            "errors": summary(groups, errors),
            "kept": {name: value for name, value in typed.items()
                     if name not in shown | _NOT_KEPT},
        },
    )  # fmt: skip


def _called(entry: ProviderEntry, typed: Mapping[str, str]) -> str:
    """The provider's name, as far as it has one."""
    address = typed.get("issuer") or typed.get(endpoint("authorization")) or ""
    return (entry.stands_for_any and urlsplit(address).netloc) or entry.title


def _todo(entry: ProviderEntry, typed: Mapping[str, str], uris: list[str]) -> list[tuple[str, str]]:
    """The steps at the provider: what to do, and a command for it."""
    parameters = {
        name.removeprefix(PARAMETER): value.strip()
        for name, value in typed.items()
        if name.startswith(PARAMETER)
    }
    steps = resolve_steps(entry, parameters, redirect_uri=uris[0] if uris else "")
    parts = (one.partition("\n") for one in steps)
    return [(text, command) for text, _, command in parts]


def _redirect_uris(desk: Desk, entry: ProviderEntry, name: str) -> list[str]:
    """The one that leads to where this page is, with the usual ones if it is among them: where
    people reach this server at another address than usual, the usual ones lead nowhere."""
    usual = list(desk.service.client_rules.usual_redirect_uris(name, entry))
    here = _here(desk, entry, name)
    if not here or desk.service.configured.public_url is not None:
        return usual
    return [here, *(one for one in usual if one != here)] if here in usual else [here]


def _here(desk: Desk, entry: ProviderEntry, name: str) -> str:
    """The redirect URI of this very server; empty where a code would not be safe on its way."""
    parts = urlsplit(f"{desk.origin}{desk.host.mount}callback/{name}")
    if parts.hostname in _LOOPBACK and parts.hostname not in entry.loopback_hosts:
        port = f":{parts.port}" if parts.port else ""
        parts = parts._replace(netloc=f"{entry.loopback_hosts[0]}{port}")
    # over plain http a code could be read on its way, except on this machine
    safe = parts.scheme == "https" or parts.hostname in _LOOPBACK
    return parts.geturl() if safe else ""


def _lines(text: str) -> list[str]:
    return [one.strip() for one in text.splitlines() if one.strip()]


def _entry(desk: Desk) -> ProviderEntry:
    return desk.broker.provider(desk.path["key"])


def _check_allowed(desk: Desk) -> None:
    """Before anybody fills in a form. Raises `NotAllowedError`."""
    desk.service.access.check_register(desk.actor)


PAGES = (
    AdminPage(path="/register", look=_choose),
    AdminPage(
        path="/register/(?P<key>[^/]+)",
        look=_look,
        acts={"go-on": _go_on, "unchecked": _go_on, "back": _back, "register": _register},
    ),
)
