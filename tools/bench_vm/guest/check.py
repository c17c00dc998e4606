"""Checks the bench itself, in the guest, with BlueZ on both sides.

Every adapter advertises in turn while all others look for it: they must see it
exactly when the plan says so. For each pair in range, a GATT server on one
echoes what a client on the other writes. An adapter with two neighbours also
carries a link in and a link out at the same time. Prints one line per finding.
"""

import asyncio
import os
import sys
import time

from dbus_fast import BusType, Message, MessageType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_property, method

SERVICE = "0d1e2c3b-4a59-4687-9786-a5b4c3d2e1f0"
ECHO = "0d1e2c3b-4a59-4687-9786-a5b4c3d2e1f1"
ROOT = "/bench"
WRITES = 20


class Advertisement(ServiceInterface):
    def __init__(self):
        super().__init__("org.bluez.LEAdvertisement1")

    @method()
    def Release(self):
        pass

    @dbus_property(access=PropertyAccess.READ)
    def Type(self) -> "s":  # noqa: F821
        return "peripheral"

    @dbus_property(access=PropertyAccess.READ)
    def ServiceUUIDs(self) -> "as":  # noqa: F722
        return [SERVICE]


class Service(ServiceInterface):
    def __init__(self):
        super().__init__("org.bluez.GattService1")

    @dbus_property(access=PropertyAccess.READ)
    def UUID(self) -> "s":  # noqa: F821
        return SERVICE

    @dbus_property(access=PropertyAccess.READ)
    def Primary(self) -> "b":  # noqa: F821
        return True


class Echo(ServiceInterface):
    """Notifies back whatever is written."""

    def __init__(self, service: str):
        super().__init__("org.bluez.GattCharacteristic1")
        self.service = service
        self.value = b""

    @dbus_property(access=PropertyAccess.READ)
    def UUID(self) -> "s":  # noqa: F821
        return ECHO

    @dbus_property(access=PropertyAccess.READ)
    def Service(self) -> "o":  # noqa: F821
        return self.service

    @dbus_property(access=PropertyAccess.READ)
    def Flags(self) -> "as":  # noqa: F722
        return ["write-without-response", "notify"]

    @dbus_property(access=PropertyAccess.READ)
    def Value(self) -> "ay":  # noqa: F821
        return self.value

    @method()
    def WriteValue(self, value: "ay", options: "a{sv}"):  # noqa: F722, F821
        self.value = bytes(value)
        self.emit_properties_changed({"Value": self.value})

    @method()
    def StartNotify(self):
        pass

    @method()
    def StopNotify(self):
        pass


class BlueZ:
    def __init__(self, bus: MessageBus):
        self.bus = bus

    async def call(self, path, interface, member, signature="", *body):
        reply = await self.bus.call(Message(
            destination="org.bluez", path=path, interface=interface, member=member,
            signature=signature, body=list(body)))
        if reply.message_type == MessageType.ERROR:
            raise RuntimeError(f"{path} {member}: {reply.error_name} {reply.body}")
        return reply.body

    async def address(self, name: str) -> str:
        return (await self.objects())[f"/org/bluez/{name}"]["org.bluez.Adapter1"]["Address"].value

    async def objects(self) -> dict:
        found = await self.call("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        return found[0]

    async def neighbours(self, adapter: str) -> dict[str, str]:
        """Addresses of devices that offer the service, and their paths."""
        return {
            interfaces["org.bluez.Device1"]["Address"].value: path
            for path, interfaces in (await self.objects()).items()
            if path.startswith(f"{adapter}/") and "org.bluez.Device1" in interfaces
            and SERVICE in interfaces["org.bluez.Device1"]["UUIDs"].value
        }

    async def discover(self, name: str, start: bool) -> None:
        if start:
            # Without a filter BlueZ drops adverts that lack the discoverable flag.
            await self.call(f"/org/bluez/{name}", "org.bluez.Adapter1", "SetDiscoveryFilter",
                            "a{sv}", {"Transport": Variant("s", "le")})
        await self.call(f"/org/bluez/{name}", "org.bluez.Adapter1",
                        "StartDiscovery" if start else "StopDiscovery")

    async def forget_devices(self) -> None:
        # Also where a link came in: BlueZ ignores the advertised services of a
        # device whose own services it has read before.
        for path, interfaces in (await self.objects()).items():
            if device := interfaces.get("org.bluez.Device1"):
                await self.call(device["Adapter"].value, "org.bluez.Adapter1",
                                "RemoveDevice", "o", path)


async def until(seconds: float, probe):
    """What `probe` gives once it is truthy, or its last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := await probe()) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    return answer


class Check:
    def __init__(self, bluez, adapters, in_range):
        self.bluez = bluez
        self.adapters = adapters
        self.in_range = in_range
        self.failures = 0

    def finding(self, good: bool, text: str) -> None:
        self.failures += not good
        print(("ok   " if good else "FAIL ") + text, flush=True)

    async def advertise(self, name: str, start: bool) -> None:
        path, root = f"/org/bluez/{name}", f"{ROOT}/{name}"
        for interface, member, offered in (
            ("org.bluez.GattManager1", "Application", root),
            ("org.bluez.LEAdvertisingManager1", "Advertisement", f"{root}/advertisement"),
        ):
            if start:
                await self.bluez.call(path, interface, "Register" + member, "oa{sv}", offered, {})
            else:
                await self.bluez.call(path, interface, "Unregister" + member, "o", offered)

    async def one_advertises(self, name: str) -> None:
        address = await self.bluez.address(name)
        others = [other for other in self.adapters if other != name]
        await self.advertise(name, True)
        for other in others:
            await self.bluez.discover(other, True)
        await asyncio.sleep(4)
        for other in others:
            await self.seen(name, address, other)
        for other in others:
            await self.bluez.discover(other, False)
        await self.bluez.forget_devices()
        await self.advertise(name, False)

    async def both_roles(self, before: str, middle: str, after: str) -> None:
        """A link into `middle` and one out of it, in use at the same time."""
        for name in (middle, after):
            await self.advertise(name, True)
        links = []
        for near, far in ((before, middle), (middle, after)):
            address = await self.bluez.address(far)
            await self.bluez.discover(near, True)

            async def look():
                return (await self.bluez.neighbours(f"/org/bluez/{near}")).get(address)

            device = await until(8, look)
            await self.bluez.discover(near, False)
            if not device:
                self.finding(False, f"{near} does not see {far}, for a link each way")
                return
            links.append(self.echo(far, near, device))
        await asyncio.gather(*links)
        await self.bluez.forget_devices()
        for name in (middle, after):
            await self.advertise(name, False)

    async def seen(self, name: str, address: str, other: str) -> None:
        expected = frozenset((name, other)) in self.in_range

        async def look():
            return (await self.bluez.neighbours(f"/org/bluez/{other}")).get(address)

        device = await until(4 if expected else 0, look)
        if expected and not device:
            # btvirt reports an advert once per scan, and BlueZ may miss that one.
            await self.bluez.discover(other, False)
            await self.bluez.discover(other, True)
            device = await until(6, look)
        verb = "sees" if device else "does not see"
        self.finding(bool(device) == expected, f"{other} {verb} {name}")
        if device and expected:
            await self.bluez.discover(other, False)
            await self.echo(name, other, device)
            await self.bluez.discover(other, True)

    async def echo(self, name: str, other: str, device: str) -> None:
        bluez, started = self.bluez, time.monotonic()
        await bluez.call(device, "org.bluez.Device1", "Connect")

        async def characteristic():
            return [path for path, interfaces in (await bluez.objects()).items()
                    if path.startswith(f"{device}/")
                    and interfaces.get("org.bluez.GattCharacteristic1", {})
                    .get("UUID", Variant("s", "")).value == ECHO]

        found = await until(20, characteristic)
        if not found:
            self.finding(False, f"{other} finds no characteristic on {name}")
            return
        connected = time.monotonic() - started
        answers: asyncio.Queue = asyncio.Queue()

        def notified(message):
            if message.path == found[0] and message.member == "PropertiesChanged":
                value = message.body[1].get("Value")
                if value is not None:
                    answers.put_nowait(bytes(value.value))

        bluez.bus.add_message_handler(notified)
        await bluez.call(found[0], "org.bluez.GattCharacteristic1", "StartNotify")
        started, good = time.monotonic(), 0
        for number in range(WRITES):
            frame = bytes([number]) * 200
            await bluez.call(found[0], "org.bluez.GattCharacteristic1", "WriteValue",
                             "aya{sv}", frame, {"type": Variant("s", "command")})
            try:
                good += await asyncio.wait_for(answers.get(), 5) == frame
            except asyncio.TimeoutError:
                break
        each = (time.monotonic() - started) / WRITES
        bluez.bus.remove_message_handler(notified)
        await bluez.call(device, "org.bluez.Device1", "Disconnect")
        self.finding(good == WRITES, f"{other} -> {name}: {good} of {WRITES} echoes, "
                     f"connected in {connected:.1f} s, {each * 1000:.0f} ms each (emulated)")


async def main() -> int:
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    await bus.call(Message(destination="org.freedesktop.DBus", path="/org/freedesktop/DBus",
                           interface="org.freedesktop.DBus", member="AddMatch", signature="s",
                           body=["type='signal',sender='org.bluez'"]))
    adapters = os.environ["HW_ADAPTERS"].split(",")
    in_range = {frozenset(pair.split("-")) for pair in os.environ["HW_IN_RANGE"].split(",")}
    for adapter in adapters:
        service = f"{ROOT}/{adapter}/service"
        bus.export(f"{ROOT}/{adapter}/advertisement", Advertisement())
        bus.export(service, Service())
        bus.export(f"{service}/echo", Echo(service))
    check = Check(BlueZ(bus), adapters, in_range)
    for adapter in adapters:
        await check.one_advertises(adapter)
    for middle in adapters:
        near = [other for other in adapters if frozenset((middle, other)) in in_range]
        if len(near) > 1:
            await check.both_roles(near[0], middle, near[1])
    print(f"{check.failures} findings against the plan")
    return 1 if check.failures else 0


sys.exit(asyncio.run(main()))
