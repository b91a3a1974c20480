from __future__ import annotations

from pathlib import Path

import pytest
from sample.config import from_environment
from sample.environment import ConfigError

DATABASE = {"DB_HOST": "postgres", "DB_USER": "u", "DB_NAME": "n"}


def test_nothing_is_configured_by_default() -> None:
    config = from_environment({})
    assert (config.database, config.redis, config.mqtt, config.jwt_secret) == (None, None, None, "")
    assert config.ports == (3000,)
    assert not config.allow_faults


@pytest.mark.parametrize(
    ("env", "attribute", "expected"),
    [
        pytest.param({"SAMPLE_ROLE": "mobile"}, "service", "mobile-backend", id="role-names-the-service"),
        pytest.param({"SAMPLE_ROLE": "mobile", "SAMPLE_SERVICE": "x"}, "service", "x", id="service-can-be-named"),
        pytest.param({"NODE_ENV": "test"}, "environment", "test", id="node-environment"),
        pytest.param({"NODE_ENV": "test", "ENVIRONMENT": "dev"}, "environment", "dev", id="environment-wins"),
        pytest.param({"PORT": "3000, 8000"}, "ports", (3000, 8000), id="rfx-01-two-ports"),
        pytest.param({"PORT": ""}, "ports", (3000,), id="empty-is-unset"),
        pytest.param({"SAMPLE_PATH_PREFIX": "/media/"}, "path_prefix", "/media", id="prefix-without-last-slash"),
        pytest.param({"SAMPLE_ALLOW_FAULTS": "1"}, "allow_faults", True, id="faults-allowed"),
        pytest.param({"SAMPLE_MIGRATE_ON_START": "0"}, "migrate_on_start", False, id="migrations-elsewhere"),
        pytest.param({"START_DELAY": "2.5"}, "start_delay", 2.5, id="start-delay"),
        pytest.param({"ALLOWED_HOSTS": "a.test, b.test"}, "allowed_hosts", ("a.test", "b.test"), id="sag-05-trusted"),
        pytest.param({"CORS_ORIGINS": ""}, "cors_origins", (), id="sag-05-no-origins"),
        pytest.param({"SAMPLE_QUEUE": "trades"}, "queue", "trades", id="queue"),
    ],
)
def test_value_is_read(env: dict[str, str], attribute: str, expected: object) -> None:
    assert getattr(from_environment(env), attribute) == expected


@pytest.mark.parametrize(
    ("env", "message"),
    [
        pytest.param({"SAMPLE_ROLE": "chef"}, "SAMPLE_ROLE: 'chef' is unknown", id="role"),
        pytest.param({"PORT": "0"}, "PORT: '0' is not a port", id="port-zero"),
        pytest.param({"PORT": "3000,3000"}, "listed twice", id="port-twice"),
        pytest.param({"START_DELAY": "soon"}, "START_DELAY: 'soon' is not a number", id="delay-text"),
        pytest.param({"START_DELAY": "nan"}, "out of range", id="delay-nan"),
        pytest.param({"START_DELAY": "inf"}, "out of range", id="delay-infinite"),
        pytest.param({"START_DELAY": "-1"}, "out of range", id="delay-negative"),
        pytest.param({"SAMPLE_ALLOW_FAULTS": "maybe"}, "neither true nor false", id="boolean"),
        pytest.param({"SAMPLE_PATH_PREFIX": "media"}, "must start with a slash", id="prefix"),
        pytest.param({"DB_HOST": "a", "DB_POOL_SIZE": "0"}, "at least 1", id="pool-size"),
        pytest.param({"DB_HOST": "a", "DATABASE_URL": "postgresql://b"}, "both set", id="two-databases"),
        pytest.param({"DATABASE_URL": "mysql://b"}, "postgresql://", id="other-database"),
        pytest.param({"MQTT_BROKER_URL": "mosquitto:1883"}, "mqtt://host:1883", id="broker-without-scheme"),
        pytest.param({"MQTT_BROKER_URL": "mqtt://h:99999"}, "its port", id="broker-port"),
        pytest.param({"REQUIRED_ENV": "JWT_SECRET, SMTP_HOST"}, "set JWT_SECRET, SMTP_HOST", id="required"),
        pytest.param({"REQUIRED_ENV": "A", "A": ""}, "set A", id="required-but-empty"),
    ],
)
def test_wrong_value_is_refused_by_name(env: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_environment(env)


def test_secret_file_is_preferred_and_loses_only_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(" from file \n")
    config = from_environment({**DATABASE, "DB_PASSWORD": "x", "DB_PASSWORD_FILE": str(tmp_path / "password")})
    assert config.database is not None
    assert config.database.password == " from file "


def test_required_is_satisfied_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    assert from_environment({"REQUIRED_ENV": "JWT_SECRET", "JWT_SECRET_FILE": str(tmp_path / "key")}).jwt_secret == "k"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "cannot read .*/secret: No such file", id="missing"),
        pytest.param(b"\n", "is empty", id="empty"),
        pytest.param(b"\xff", "not UTF-8", id="binary"),
    ],
)
def test_unusable_secret_file_is_refused_by_name(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"JWT_SECRET_FILE: .*{message}"):
        from_environment({"JWT_SECRET_FILE": str(path), "JWT_SECRET": "not used instead"})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("mqtt://mosquitto", ("mosquitto", 1883, False, "", ""), id="default-port"),
        pytest.param("mqtts://broker", ("broker", 8883, True, "", ""), id="tls-port"),
        pytest.param("mqtt://me:p%40ss@broker:2000", ("broker", 2000, False, "me", "p@ss"), id="credentials"),
    ],
)
def test_pet_01_broker_url(url: str, expected: tuple[object, ...]) -> None:
    mqtt = from_environment({"MQTT_BROKER_URL": url}).mqtt
    assert mqtt is not None
    assert (mqtt.host, mqtt.port, mqtt.tls, mqtt.username, mqtt.password) == expected


def test_no_secret_is_printed_with_the_configuration() -> None:
    names = ("DB_PASSWORD", "REDIS_PASSWORD", "JWT_SECRET", "MQTT_PASSWORD")
    env = {**DATABASE, "REDIS_HOST": "redis", "MQTT_BROKER_URL": "mqtt://u:hidden@h", **dict.fromkeys(names, "hidden")}
    config = from_environment(env)
    assert config.jwt_secret == "hidden"
    assert "hidden" not in repr(config)


def test_database_url_is_not_printed() -> None:
    assert "hidden" not in repr(from_environment({"DATABASE_URL": "postgresql://u:hidden@h/n"}))


def test_mongo_is_configured_by_its_host(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hush\n")
    assert from_environment({}).mongo is None
    config = from_environment(
        {"MONGO_HOST": "db", "MONGO_USER": "u", "MONGO_PASSWORD_FILE": str(tmp_path / "password")}
    )
    assert config.mongo is not None
    assert (config.mongo.host, config.mongo.port, config.mongo.password) == ("db", 27017, "hush")
    assert "hush" not in repr(config)
