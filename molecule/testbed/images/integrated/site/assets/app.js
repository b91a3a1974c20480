"use strict";

const show = (name, text) => { document.getElementById(name).textContent = text; };

show("path", window.location.pathname);

fetch("/api/health")
  .then((answer) => answer.json())
  .then((health) => show("backend", `${health.version} (${health.status})`))
  .catch(() => show("backend", "not reachable"));

function connect() {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${window.location.host}/ws?hello=1`);
  socket.addEventListener("message", (event) => show("socket", `open to ${event.data}`));
  socket.addEventListener("close", (event) => {
    show("socket", `closed (${event.code})`);
    // 1012: the service restarts, and another one answers at once.
    setTimeout(connect, event.code === 1012 ? 100 : 5000);
  });
}

connect();
