"""The typed shape of Suricata EVE records: only the keys that are used, all optional.

Rules held here: a key that is not here is skipped by the decoder without being kept. Names are Suricata's (6 to 8);
where versions differ both spellings are here. A value of a wrong type is dropped field by field (`fit`), never the
whole record.
"""

from __future__ import annotations

import msgspec

Texts = list[str] | str | None


class _S(msgspec.Struct, gc=False):
    """Settings of every shape here."""


class Metadata(_S):
    """`alert.metadata`: values are lists; old rule writers give plain text."""

    signature_severity: Texts = None
    mitre_tactic_id: Texts = None
    mitre_technique_id: Texts = None
    malware_family: Texts = None
    cve: Texts = None


class Alert(_S):
    """`alert`."""

    action: str | None = None
    gid: int | None = None
    signature_id: int | None = None
    rev: int | None = None
    signature: str | None = None
    category: str | None = None
    severity: int | None = None
    metadata: Metadata | None = None


class Flow(_S):
    """`flow` and `netflow`; the ends are there since Suricata 7 (alerts only)."""

    src_ip: str | None = None
    dest_ip: str | None = None
    src_port: int | None = None
    dest_port: int | None = None
    pkts_toclient: int | None = None
    bytes_toserver: int | None = None
    bytes_toclient: int | None = None
    bytes: int | None = None


class Verdict(_S):
    """`verdict` (since Suricata 7)."""

    action: str | None = None
    reject: list[str] | None = None


class DnsQuery(_S):
    """One entry of `dns.queries` (version 3) or `dns.query` (alerts, version 2)."""

    rrname: str | None = None


class Dns(_S):
    """`dns` and `mdns`, versions 1 to 3."""

    type: str | None = None
    rrname: str | None = None
    rcode: str | None = None
    queries: list[DnsQuery] | None = None
    query: list[DnsQuery] | None = None


class Header(_S):
    """One HTTP/2 header."""

    name: str | None = None
    value: str | None = None


class Http(_S):
    """`http` (versions 1 and 2)."""

    hostname: str | None = None
    http_port: int | None = None
    url: str | None = None
    http_user_agent: str | None = None
    http_method: str | None = None
    request_headers: list[Header] | None = None


class Hash(_S):
    """A fingerprint object."""

    hash: str | None = None


class Tls(_S):
    """`tls`."""

    sni: str | None = None
    ja3: Hash | None = None
    ja4: str | None = None


class Quic(_S):
    """`quic`."""

    sni: str | None = None
    ua: str | None = None
    ja3: Hash | None = None
    ja4: str | None = None


class File(_S):
    """`fileinfo`, and an entry of `files` of an alert."""

    filename: str | None = None
    md5: str | None = None
    sha1: str | None = None
    sha256: str | None = None


class Smtp(_S):
    """`smtp`."""

    helo: str | None = None
    mail_from: str | None = None
    rcpt_to: Texts = None


class Email(_S):
    """`email`."""

    sender: str | None = msgspec.field(default=None, name="from")
    to: Texts = None
    cc: Texts = None
    subject: str | None = None
    attachment: Texts = None


class Ntlmssp(_S):
    """`smb.ntlmssp`."""

    user: str | None = None
    host: str | None = None


class Smb(_S):
    """`smb`."""

    filename: str | None = None
    share: str | None = None
    status: str | None = None
    ntlmssp: Ntlmssp | None = None


class Krb5(_S):
    """`krb5`."""

    cname: str | None = None
    error_code: str | None = None


class RdpClient(_S):
    """`rdp.client`."""

    client_name: str | None = None


class Rdp(_S):
    """`rdp`."""

    cookie: str | None = None
    client: RdpClient | None = None


class Ftp(_S):
    """`ftp`."""

    command: str | None = None
    command_data: str | None = None
    completion_code: Texts = None


class NamedFile(_S):
    """`ftp_data`, `nfs` and `tftp`: a file that went over the wire."""

    filename: str | None = None
    file: str | None = None


class Dhcp(_S):
    """`dhcp`."""

    hostname: str | None = None


class RfbAuth(_S):
    """`rfb.authentication`."""

    security_result: str | None = None


class Rfb(_S):
    """`rfb`."""

    authentication: RfbAuth | None = None


class Bind(_S):
    """An LDAP bind."""

    name: str | None = None


class LdapRequest(_S):
    """`ldap.request`."""

    operation: str | None = None
    bind_request: Bind | None = None


class LdapResult(_S):
    """The result of an LDAP bind."""

    result_code: str | None = None


class LdapResponse(_S):
    """One entry of `ldap.responses`."""

    bind_response: LdapResult | None = None


class Ldap(_S):
    """`ldap` (Suricata 8)."""

    request: LdapRequest | None = None
    responses: list[LdapResponse] | None = None


class PgParameters(_S):
    """`pgsql.request.startup_parameters`."""

    user: str | None = None


class PgRequest(_S):
    """`pgsql.request`."""

    startup_parameters: PgParameters | None = None


class Pgsql(_S):
    """`pgsql`."""

    request: PgRequest | None = None


class MqttConnect(_S):
    """`mqtt.connect`."""

    username: str | None = None


class Mqtt(_S):
    """`mqtt`."""

    connect: MqttConnect | None = None


class Pop3Request(_S):
    """`pop3.request`."""

    command: str | None = None
    args: list[str] | None = None


class Pop3Response(_S):
    """`pop3.response`."""

    success: bool | None = None


class Pop3(_S):
    """`pop3` (Suricata 8)."""

    request: Pop3Request | None = None
    response: Pop3Response | None = None


class Arp(_S):
    """`arp` (Suricata 8): the addresses are inside the member."""

    src_ip: str | None = None
    dest_ip: str | None = None


class Anomaly(_S):
    """`anomaly`."""

    type: str | None = None
    event: str | None = None
    app_proto: str | None = None


class Engine(_S):
    """`engine`: Suricata's own log."""

    message: str | None = None


class Eve(_S):
    """One EVE record."""

    timestamp: str | None = None
    event_type: str | None = None
    flow_id: int | None = None
    src_ip: str | None = None
    src_port: int | None = None
    dest_ip: str | None = None
    dest_port: int | None = None
    proto: str | None = None
    app_proto: str | None = None
    community_id: str | None = None
    direction: str | None = None
    host: str | None = None
    log_level: str | None = None
    suricata_version: str | None = None
    alert: Alert | None = None
    verdict: Verdict | None = None
    flow: Flow | None = None
    netflow: Flow | None = None
    dns: Dns | None = None
    mdns: Dns | None = None
    http: Http | None = None
    tls: Tls | None = None
    quic: Quic | None = None
    fileinfo: File | None = None
    files: list[File] | None = None
    smtp: Smtp | None = None
    email: Email | None = None
    smb: Smb | None = None
    krb5: Krb5 | None = None
    rdp: Rdp | None = None
    ftp: Ftp | None = None
    ftp_data: NamedFile | None = None
    nfs: NamedFile | None = None
    tftp: NamedFile | None = None
    dhcp: Dhcp | None = None
    rfb: Rfb | None = None
    ldap: Ldap | None = None
    pgsql: Pgsql | None = None
    mqtt: Mqtt | None = None
    pop3: Pop3 | None = None
    arp: Arp | None = None
    anomaly: Anomaly | None = None
    engine: Engine | None = None
