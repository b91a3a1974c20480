"""The whole configuration, read once from the environment. Pure: nothing is connected here."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from sample.environment import ConfigError, Environment, boolean, number, port, require, secret, text

# Role to the service name reported by /health.
ROLES = {
    "backend": "backend",
    "mobile": "mobile-backend",
    "portal": "customer-portal",
    "worker": "worker",
    "generic": "sample",
}


@dataclass(frozen=True)
class DatabaseConfig:
    host: str
    port: int
    user: str
    name: str
    password: str = field(repr=False)
    # A URL is handed on whole, so that its TLS options reach the driver.
    url: str = field(default="", repr=False)
    pool_size: int = 10
    wait: float = 30.0


@dataclass(frozen=True)
class RedisConfig:
    host: str
    port: int
    password: str = field(repr=False)


@dataclass(frozen=True)
class MongoConfig:
    host: str
    port: int
    user: str
    database: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class MqttConfig:
    host: str
    port: int
    tls: bool
    username: str
    password: str = field(repr=False)
    topic: str = "petcare/messages"


@dataclass(frozen=True)
class ConsulConfig:
    url: str
    key: str
    """In its key-value store, the key that is watched."""


@dataclass(frozen=True)
class Config:
    role: str
    service: str
    environment: str
    version: str
    git_commit: str
    host: str
    ports: tuple[int, ...]
    path_prefix: str
    start_delay: float
    drain_timeout: float
    keepalive_timeout: float
    allow_faults: bool
    migrate_on_start: bool
    access_log: bool
    log_file: str
    log_config: str
    allowed_hosts: tuple[str, ...]
    cors_origins: tuple[str, ...]
    queue: str
    api_url: str
    jwt_secret: str = field(repr=False)
    database: DatabaseConfig | None
    redis: RedisConfig | None
    mongo: MongoConfig | None
    mqtt: MqttConfig | None
    consul: ConsulConfig | None


def from_environment(env: Environment) -> Config:
    require(env, text(env, "REQUIRED_ENV"))
    role = text(env, "SAMPLE_ROLE", "generic")
    if role not in ROLES:
        raise ConfigError(f"SAMPLE_ROLE: {role!r} is unknown, write one of {', '.join(ROLES)}")
    service = text(env, "SAMPLE_SERVICE", ROLES[role])
    return Config(
        role=role,
        service=service,
        environment=text(env, "ENVIRONMENT") or text(env, "NODE_ENV", "production"),
        version=text(env, "SAMPLE_VERSION", "0.0.0"),
        git_commit=text(env, "GIT_COMMIT", "unknown"),
        host=text(env, "SAMPLE_HOST", "0.0.0.0"),  # noqa: S104  # what is reachable is the compose file's decision
        ports=listen_ports(env),
        path_prefix=path_prefix(env),
        start_delay=number(env, "START_DELAY", 0.0),
        drain_timeout=number(env, "DRAIN_TIMEOUT", 30.0),
        # Longer than nginx keeps its idle upstream connections (60 s), so that the proxy is
        # the one that closes them: a request never meets a connection we are just closing.
        keepalive_timeout=number(env, "KEEPALIVE_TIMEOUT", 75.0),
        allow_faults=boolean(env, "SAMPLE_ALLOW_FAULTS"),
        migrate_on_start=boolean(env, "SAMPLE_MIGRATE_ON_START", default=True),
        access_log=boolean(env, "SAMPLE_ACCESS_LOG", default=True),
        log_file=text(env, "SAMPLE_LOG_FILE"),
        log_config=text(env, "SAMPLE_LOG_CONFIG"),
        allowed_hosts=words(env, "ALLOWED_HOSTS"),
        cors_origins=words(env, "CORS_ORIGINS"),
        queue=text(env, "SAMPLE_QUEUE", "work"),
        api_url=text(env, "NEXT_PUBLIC_API_URL", "/api"),
        jwt_secret=secret(env, "JWT_SECRET"),
        database=database(env),
        redis=redis(env),
        mongo=mongo(env),
        mqtt=mqtt(env),
        consul=consul(env, service),
    )


def listen_ports(env: Environment) -> tuple[int, ...]:
    """Several ports serve the same application, for a container that publishes a frontend and a backend port."""
    ports = tuple(port(item.strip(), "PORT") for item in text(env, "PORT", "3000").split(","))
    if len(set(ports)) != len(ports):
        raise ConfigError("PORT: the same port is listed twice")
    return ports


def path_prefix(env: Environment) -> str:
    prefix = text(env, "SAMPLE_PATH_PREFIX").rstrip("/")
    if prefix and not prefix.startswith("/"):
        raise ConfigError(f"SAMPLE_PATH_PREFIX: {prefix!r} must start with a slash")
    return prefix


def database(env: Environment) -> DatabaseConfig | None:
    url = secret(env, "DATABASE_URL")
    host = text(env, "DB_HOST")
    if url and host:
        raise ConfigError("DATABASE_URL and DB_HOST are both set: keep one")
    if not url and not host:
        return None
    if url and urlsplit(url).scheme not in ("postgres", "postgresql"):
        raise ConfigError("DATABASE_URL: write postgresql://user@host:5432/name")
    return DatabaseConfig(
        host=host,
        port=port(text(env, "DB_PORT", "5432"), "DB_PORT"),
        user=text(env, "DB_USER", "petuser"),
        name=text(env, "DB_NAME", "pet_system"),
        password=secret(env, "DB_PASSWORD"),
        url=url,
        pool_size=int(number(env, "DB_POOL_SIZE", 10, minimum=1)),
        wait=number(env, "DB_WAIT", 30.0),
    )


def redis(env: Environment) -> RedisConfig | None:
    host = text(env, "REDIS_HOST")
    if not host:
        return None
    return RedisConfig(
        host=host,
        port=port(text(env, "REDIS_PORT", "6379"), "REDIS_PORT"),
        password=secret(env, "REDIS_PASSWORD"),
    )


def mongo(env: Environment) -> MongoConfig | None:
    host = text(env, "MONGO_HOST")
    if not host:
        return None
    return MongoConfig(
        host=host,
        port=port(text(env, "MONGO_PORT", "27017"), "MONGO_PORT"),
        user=text(env, "MONGO_USER"),
        database=text(env, "MONGO_DATABASE", "sample"),
        password=secret(env, "MONGO_PASSWORD"),
    )


def words(env: Environment, name: str) -> tuple[str, ...]:
    """Return what is listed with commas."""
    return tuple(word.strip() for word in text(env, name).split(",") if word.strip())


def mqtt(env: Environment) -> MqttConfig | None:
    url = secret(env, "MQTT_BROKER_URL")
    if not url:
        return None
    parts = urlsplit(url)
    try:
        url_port = parts.port
    except ValueError:
        raise ConfigError("MQTT_BROKER_URL: its port is not a number from 1 to 65535") from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ConfigError("MQTT_BROKER_URL: write mqtt://host:1883 or mqtts://host:8883")
    tls = parts.scheme == "mqtts"
    return MqttConfig(
        host=parts.hostname,
        port=url_port or (8883 if tls else 1883),
        tls=tls,
        username=text(env, "MQTT_USERNAME") or unquote(parts.username or ""),
        password=secret(env, "MQTT_PASSWORD") or unquote(parts.password or ""),
        topic=text(env, "MQTT_TOPIC", "petcare/messages"),
    )


def consul(env: Environment, service: str) -> ConsulConfig | None:
    """CONSUL_HTTP_ADDR as Consul's own tools take it: with or without the scheme."""
    address = text(env, "CONSUL_HTTP_ADDR")
    if not address:
        return None
    url = address if "://" in address else f"http://{address}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ConfigError("CONSUL_HTTP_ADDR: write consul:8500 or http://consul:8500")
    return ConsulConfig(url=url.rstrip("/"), key=text(env, "CONSUL_CONFIG_KEY", f"config/{service}"))
