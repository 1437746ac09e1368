"""A sign-in on another device: the service polls while the person types a code (RFC 8628)."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from jupyter_oauthconn.errors import (
    AuthorizationExpiredError,
    ConfigurationError,
    NotAllowedError,
    OAuthConnError,
    ProviderUnavailableError,
)
from jupyter_oauthconn.model import Authorization, Connection, Flow
from jupyter_oauthconn.protocol import (
    SLOW_DOWN_SECONDS,
    DeviceCode,
    DevicePoll,
    device_request,
    device_token_request,
    validate_device_answer,
    validate_device_poll,
)

from ..profile import Profile

if TYPE_CHECKING:
    from ..token_service import TokenService


class DeviceSignIn:
    """One sign-in of flow `device`, polled by a thread of its own until it ends."""

    def __init__(
        self,
        service: TokenService,
        profile: Profile,
        owner_id: UUID,
        authorization: Authorization,
        code: DeviceCode,
    ) -> None:
        self._service = service
        self._profile = profile
        self._owner = owner_id
        self._code = code
        self._closing = threading.Event()
        self.authorization = replace(
            authorization, user_code=code.user_code, verification_uri=code.verification_uri
        )
        self._thread = threading.Thread(target=self._poll, name="oauthconn-device", daemon=True)

    @classmethod
    def start(cls, service: TokenService, owner_id: UUID, connection: Connection) -> DeviceSignIn:
        """Asks the provider for a code and begins to poll.

        Raises:
            NotAllowedError: the device flow is switched off.
            ConfigurationError: the provider has no device authorization endpoint.
        """
        if not service.settings.now().device_flow_enabled:
            raise NotAllowedError(
                "Signing in on another device is switched off here.",
                hint="Leave the flow out, or set device_flow_enabled.",
            )
        profile = service.profiles.of(connection)
        endpoint = profile.endpoints.device_authorization
        if endpoint is None:
            raise ConfigurationError(
                f"{profile.called} has no device authorization endpoint that we know.",
                hint="Leave the flow out: then the way is taken that fits here.",
            )
        request = device_request(
            endpoint=endpoint,
            credentials=service.profiles.credentials(profile.client),
            scope=profile.scope,
        )
        answer = service.transport.send(request, typed_host=profile.is_typed(endpoint))
        code = validate_device_answer(answer)
        authorization, _ = service.sign_ins.start(
            owner_id, connection, flow=Flow.DEVICE, public_url=None
        )
        device = cls(service, profile, owner_id, authorization, code)
        device._thread.start()
        return device

    def close(self) -> None:
        """Stops polling; the sign-in stays pending until it expires."""
        self._closing.set()

    def _poll(self) -> None:
        deadline = time.monotonic() + self._code.expires_in
        interval = self._code.interval
        while not self._closing.wait(interval):
            try:
                if not self._service.sign_ins.hold(self._owner, self.authorization.id):
                    return
                if time.monotonic() > deadline:
                    raise AuthorizationExpiredError("The code was not typed in time.")
                interval = self._ask(interval)
            except ProviderUnavailableError:
                # RFC 8628 §3.5: after a time-out, back off and go on
                interval *= 2
            except OAuthConnError as error:
                self._service.sign_ins.cancel(self._owner, self.authorization.id, error)
                return
            if interval == 0:
                return

    def _ask(self, interval: float) -> float:
        """One poll; the next interval in seconds, 0 when the sign-in is done."""
        profile = self._profile
        issued_at = self._service.store.now()
        request = device_token_request(
            endpoint=profile.token_endpoint,
            credentials=self._service.profiles.credentials(profile.client),
            device_code=self._code.device_code,
        )
        answer = self._service.transport.send(request, typed_host=profile.is_typed(request.url))
        result = validate_device_poll(answer, **profile.answer_options)
        if isinstance(result, DevicePoll):
            return interval + (SLOW_DOWN_SECONDS if result is DevicePoll.SLOW_DOWN else 0)
        self._service.sign_ins.store_answer(
            self._owner, self.authorization.id, profile.connection, result, issued_at
        )
        return 0
