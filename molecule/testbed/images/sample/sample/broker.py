"""MQTT: publishes to one topic, and counts what arrives on it. The client reconnects by itself, in its own thread."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import paho.mqtt.client as mqtt

from sample.config import MqttConfig

log = logging.getLogger(__name__)

TIMEOUT = 5.0


class BrokerError(Exception):
    """The broker did not confirm the message."""


class Broker:
    def __init__(self, config: MqttConfig) -> None:
        self._topic = config.topic
        self._client = mqtt.Client()
        if config.username:
            self._client.username_pw_set(config.username, config.password or None)
        if config.tls:
            self._client.tls_set()
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        # Written by the client's thread alone.
        self.received = 0
        self._client.connect_async(config.host, config.port)
        self._client.loop_start()

    @property
    def connected(self) -> bool:
        return bool(self._client.is_connected())

    async def publish(self, payload: bytes) -> None:
        if not self.connected:
            raise BrokerError("the broker is not connected")
        message = self._client.publish(self._topic, payload, qos=1)
        try:
            await asyncio.to_thread(message.wait_for_publish, TIMEOUT)
        except (RuntimeError, ValueError) as error:
            raise BrokerError(str(error)) from error
        if not message.is_published():
            raise BrokerError(f"the broker did not confirm within {TIMEOUT:g} s")

    async def close(self) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, code: int) -> None:
        if code != 0:
            log.warning("the broker refuses the connection: %s", mqtt.connack_string(code))
            return
        # At every connection: the broker forgets the subscription of a clean session.
        client.subscribe(self._topic, qos=1)

    def _on_message(self, _client: mqtt.Client, _data: Any, _message: mqtt.MQTTMessage) -> None:
        self.received += 1
