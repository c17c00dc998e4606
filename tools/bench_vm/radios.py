"""Virtual Bluetooth LE controllers on one shared air, run on the host.

    radios.py SOCKET_FOLDER ADAPTERS [A-B …]

Each adapter N is served as HCI (H4 framing) on SOCKET_FOLDER/radioN. Each A-B
says that adapters A and B are in each other's range. Prints "ready" once all
sockets listen; logs links that come and go on standard error.
"""

import asyncio
import logging
import sys
from pathlib import Path

from bumble import core, hci, ll
from bumble.controller import Connection, Controller
from bumble.link import LocalLink
from bumble.transport.unix import open_unix_server_transport

log = logging.getLogger("radios")


class Air(LocalLink):
    """Who hears whom. Hands packets between controllers that are in range."""

    def __init__(self) -> None:
        super().__init__()
        self.in_range: dict[Controller, list[Controller]] = {}

    def join(self, a: Controller, b: Controller) -> None:
        self.in_range.setdefault(a, []).append(b)
        self.in_range.setdefault(b, []).append(a)

    def send_advertising_pdu(self, sender_controller, packet) -> None:
        neighbours = self.in_range.get(sender_controller, [])
        if isinstance(packet, ll.ConnectInd):
            self._connect(sender_controller, neighbours, packet)
            return
        loop = asyncio.get_running_loop()
        for neighbour in neighbours:
            loop.call_soon(neighbour.on_ll_advertising_pdu, packet)

    def _connect(self, sender, neighbours, packet) -> None:
        # Both ends change in one step: two adapters that connect to each other
        # at the same moment must not each end up with half a link.
        for neighbour in neighbours:
            neighbour.on_ll_advertising_pdu(packet)
            accepted = neighbour.le_connections.get(packet.initiator_address)
            if accepted and accepted.self_address == packet.advertiser_address:
                log.info("link up: %s -> %s", sender.name, neighbour.name)
                return
        log.info("link from %s to %s: nobody answers", sender.name, packet.advertiser_address)
        asyncio.get_running_loop().call_soon(sender.give_up_link, packet.advertiser_address)

    def send_acl_data(self, sender_controller, destination_address, transport, data) -> None:
        # The source is the address this link was made with; the stock class
        # takes the random address, and Linux connects with the public one.
        link = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if transport != core.PhysicalTransport.LE or link is None or receiver is None:
            return
        asyncio.get_running_loop().call_soon(
            receiver.on_link_acl_data, link.self_address, transport, data
        )

    def send_ll_control_pdu(self, sender_address, receiver_address, packet) -> None:
        receiver = self.find_le_controller(receiver_address)
        if receiver is not None:
            asyncio.get_running_loop().call_soon(
                receiver.on_ll_control_pdu, sender_address, packet
            )


class Radio(Controller):
    """A controller with the corners that Linux needs and the stock class lacks."""

    le_acl_data_packet_length = 251
    supported_max_tx_octets = 251
    supported_max_rx_octets = 251

    # The stock versions of these two format a log line for every packet.
    def on_hci_packet(self, packet) -> None:
        if isinstance(packet, hci.HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)
        elif isinstance(packet, hci.HCI_Command):
            log.debug("%s <- %s", self.name, packet.name)
            self.on_hci_command_packet(packet)

    def send_hci_packet(self, packet) -> None:
        if isinstance(packet, hci.HCI_LE_Connection_Complete_Event):
            packet = enhanced(packet)
        if self.host:
            asyncio.get_running_loop().call_soon(self.host.on_packet, bytes(packet))

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        log.info("link down: %s, peer %s, reason 0x%02x",
                 self.name, connection.peer_address, reason)
        super().on_le_disconnected(connection, reason)

    def give_up_link(self, peer_address: hci.Address) -> None:
        connection = self.le_connections.get(peer_address)
        if connection is not None:
            self.on_le_disconnected(
                connection, hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
            )

    def on_hci_le_create_connection_cancel_command(self, _command):
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        cancelled = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        # After the answer to the command itself.
        asyncio.get_running_loop().call_soon(self.send_hci_packet, cancelled)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_reset_command(self, command):
        """A reset silences the radio: no adverts, no scan, no links."""
        self.le_legacy_advertiser.stop()
        for advertising_set in self.advertising_sets.values():
            advertising_set.stop()
        self.advertising_sets.clear()
        self.le_scan_enable = False
        self.pending_le_connection = None
        for connection in list(self.le_connections.values()):
            connection.send_ll_control_pdu(
                ll.TerminateInd(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
            )
        self.le_connections.clear()
        return super().on_hci_reset_command(command)


def enhanced(plain):
    """The form of a new link's event that Linux waits for.

    It expects this form from a controller with extended advertising. Given the
    plain one it blocks the adapter for four seconds, then cancels the connection.
    """
    return hci.HCI_LE_Enhanced_Connection_Complete_Event(
        status=plain.status,
        connection_handle=plain.connection_handle,
        role=plain.role,
        peer_address_type=plain.peer_address_type,
        peer_address=plain.peer_address,
        local_resolvable_private_address=hci.Address.ANY,
        peer_resolvable_private_address=hci.Address.ANY,
        connection_interval=plain.connection_interval,
        peripheral_latency=plain.peripheral_latency,
        supervision_timeout=plain.supervision_timeout,
        central_clock_accuracy=plain.central_clock_accuracy,
    )


async def serve(folder: Path, adapters: int, pairs: list[tuple[int, int]]) -> None:
    air = Air()
    radios = []
    for index in range(adapters):
        source, sink = await open_unix_server_transport(str(folder / f"radio{index}"))
        address = hci.Address(f"A0:B0:C0:00:00:{index:02X}", hci.Address.PUBLIC_DEVICE_ADDRESS)
        radios.append(Radio(f"hci{index}", source, sink, air, address))
    for a, b in pairs:
        air.join(radios[a], radios[b])
    print("ready", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("bumble").setLevel(logging.WARNING)
    folder, adapters, *pairs = sys.argv[1:]
    parsed = [(int(a), int(b)) for a, b in (pair.split("-") for pair in pairs)]
    asyncio.run(serve(Path(folder), int(adapters), parsed))


if __name__ == "__main__":
    main()
