"""Home Assistant through its own API: the steps of a new owner, its registries, states as they change, services."""

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from waiting import Wrong, hold, until
from websocket import Closed, WebSocket

OWNER, PASSWORD = "wader", "wader"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class State:
    """An entity at one moment."""

    entity: str
    value: str
    attributes: dict[str, Any] = field(compare=False)


class Owner:
    """Who set this Home Assistant up, and may do everything."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self._client = f"{self.url}/"
        self.token = ""

    def onboard(self) -> None:
        """Makes the owner's account, as the first page of a new Home Assistant does, and logs in."""
        person = {"name": OWNER, "username": OWNER, "password": PASSWORD, "language": "en", "client_id": self._client}
        code = self.post("/api/onboarding/users", person)["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": self._client}
        self.token = self._ask("/auth/token", urllib.parse.urlencode(form).encode())["access_token"]

    def add_mqtt(self, broker_port: int) -> None:
        """Adds the integration MQTT, as its dialogue does."""
        flow = self.post("/api/config/config_entries/flow", {"handler": "mqtt"})
        hold(flow["type"] == "form" and flow["step_id"] == "broker", f"the dialogue begins otherwise: {flow}")
        answer = self.post(f"/api/config/config_entries/flow/{flow['flow_id']}", {"broker": HOST, "port": broker_port})
        hold(answer["type"] == "create_entry", f"the broker is refused: {answer}")

    def version(self) -> str:
        """Home Assistant's version."""
        return self._ask("/api/config")["version"]

    def call(self, service: str, entity: str) -> None:
        """Calls a service such as `switch.turn_off`, as a tap on the dashboard does."""
        self.post(f"/api/services/{service.replace('.', '/')}", {"entity_id": entity})

    def post(self, path: str, body: object) -> Any:
        """Posts JSON; the answer."""
        return self._ask(path, json.dumps(body).encode(), "application/json")

    def _ask(self, path: str, body: bytes | None = None, kind: str = "application/x-www-form-urlencoded") -> Any:
        headers = {"Content-Type": kind} if body is not None else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Wrong(f"{path}: {error.code} {error.read().decode(errors='replace')}") from error


class Live:
    """A connection that hears each change of a state, and may ask for what is registered."""

    def __init__(self, owner: Owner) -> None:
        self._socket = WebSocket(HOST, owner.port, "/api/websocket")
        self._answers: dict[int, dict[str, Any]] = {}
        self._number = 0
        self._states: dict[str, State] = {}
        self.changes: list[State] = []
        hold(json.loads(self._socket.receive())["type"] == "auth_required", "the API asks for no login")
        self._socket.send(json.dumps({"type": "auth", "access_token": owner.token}))
        hold(json.loads(self._socket.receive())["type"] == "auth_ok", "the API refuses the login")
        threading.Thread(target=self._receive, daemon=True).start()
        self._ask(type="subscribe_events", event_type="state_changed")
        for state in self._ask(type="get_states"):
            # what changed since the subscription is newer
            self._states.setdefault(state["entity_id"], _state(state))

    def close(self) -> None:
        """Ends it."""
        self._socket.close()

    def state(self, entity: str) -> str | None:
        """An entity's state now; `None` where there is no such entity."""
        found = self._states.get(entity)
        return found.value if found else None

    def attributes(self, entity: str) -> dict[str, Any]:
        """An entity's attributes now."""
        found = self._states.get(entity)
        return found.attributes if found else {}

    def values(self, entity: str, since: int = 0) -> list[str]:
        """The states that an entity had after each change from the change `since` on, also of its attributes alone."""
        return [change.value for change in self.changes[since:] if change.entity == entity]

    def fired(self, entity: str, since: int = 0) -> list[dict[str, Any]]:
        """The attributes of each event of an event entity from the change `since` on; its state is the event's time."""
        found = [change for change in self.changes[since:] if change.entity == entity and change.value[:1].isdigit()]
        return [change.attributes for i, change in enumerate(found) if i == 0 or found[i - 1].value != change.value]

    def devices(self) -> list[dict[str, Any]]:
        """The devices of the integration MQTT."""
        ours = [entry["entry_id"] for entry in self._ask(type="config_entries/get", domain="mqtt")]
        devices = self._ask(type="config/device_registry/list")
        return [device for device in devices if set(device["config_entries"]) & set(ours)]

    def entities(self) -> dict[str, dict[str, Any]]:
        """The registered entities of the integration MQTT, by their ids."""
        entities = self._ask(type="config/entity_registry/list")
        return {entity["entity_id"]: entity for entity in entities if entity["platform"] == "mqtt"}

    def _ask(self, **command: object) -> Any:
        self._number += 1
        number = self._number
        self._socket.send(json.dumps({"id": number, **command}))
        answer = until(f"an answer to {command}", lambda: self._answers.pop(number, None))
        hold(answer["success"], f"{command}: {answer}")
        return answer["result"]

    def _receive(self) -> None:
        try:
            while True:
                message = json.loads(self._socket.receive())
                if message["type"] == "result":
                    self._answers[message["id"]] = message
                elif message["type"] == "event":
                    self._note(message["event"]["data"])
        except Closed:
            return

    def _note(self, data: dict[str, Any]) -> None:
        if (new := data["new_state"]) is None:
            self._states.pop(data["entity_id"], None)
            return
        state = _state(new)
        self._states[state.entity] = state
        self.changes.append(state)


def _state(message: dict[str, Any]) -> State:
    return State(message["entity_id"], message["state"], message["attributes"])
