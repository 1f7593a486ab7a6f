"""What the words of an agreement mean, for people: each level, purpose, role, class, TLP, severity and measure.

Rules held here: every word of the vocabulary has a meaning (a test goes through them all); a meaning is one or two
plain sentences and says nothing that the platform does not do.
"""

from __future__ import annotations

TERMS: dict[str, str] = {
    "withheld": "Not shown at all.",
    "exact": "The value as it was recorded.",
    "scope": "Only whether the address is inside the owner's networks, outside, or of a special kind.",
    "subnet": "Only which addresses share a network, not which network that is.",
    "country": "The country only.",
    "network": "The network of the address: the first 24 bits of an IPv4 address, the first 48 of an IPv6 address.",
    "domain": "Of a mail address only the part after the @.",
    "window": "The time, cut to the eight-week window it falls in.",
    "week": "The time, cut to the week it falls in.",
    "day": "The time, cut to the day.",
    "hour": "The time, cut to the hour.",
    "minute": "The time, cut to the minute.",
    "family": "The family it belongs to, not the variant.",
    "redacted": "The text without what looks like names, accounts, addresses or secrets; some may be missed.",
    "site": "Of a web address only the site, without what was asked for there.",
    "path": "The web address without its query.",
    "registered": "The domain as it is registered, without the names of machines in it.",
    "range": "Only the range the port falls in.",
    "magnitude": "Only the order of magnitude.",
    "section": "Only the main group of the sector, as in the classification of economic activities.",
    "one-time-pseudonym": "A token instead of the value. Equal values have equal tokens inside one answer only.",
    "pseudonym": "A token instead of the value. The same reader finds it again; two readers cannot compare.",
    "shared-pseudonym": "A token instead of the value that all readers of the community find again.",
}
PURPOSES: dict[str, str] = {
    "operate": "Running a security service for the owner of the events.",
    "detect": "Noticing attacks and warning of them.",
    "respond": "Containing and clearing up incidents.",
    "research": "Learning about threats and methods in general.",
}
ROLES: dict[str, str] = {
    "sme": "Members that are small and medium enterprises.",
    "mssp": "Members that are managed security service providers.",
    "cert": "Members that are computer emergency response teams.",
    "isp": "Members that are internet service providers.",
    "researcher": "Members that do research.",
}
CLASSES: dict[str, str] = {
    "malware": "Harmful software was found.",
    "intrusion": "A detection system saw an attempt to get in.",
    "firewall": "A firewall let a connection pass or stopped it.",
    "web": "A web server or proxy saw a request.",
    "integrity": "A watched file or setting was changed.",
    "log": "A rule over log files matched.",
    "application": "A program was started, stopped or kept from running.",
    "system": "An operating system reported about itself.",
    "dns": "A name was looked up.",
    "flow": "Two machines exchanged traffic; no content of it.",
    "auth": "Somebody logged in, or tried to.",
    "mail": "A message was delivered or stopped.",
    "vulnerability": "A scan found a weakness.",
    "match": "A pattern of attack matched over several events.",
}
TLP: dict[str, str] = {
    "clear": "Recipients may pass it on without limit.",
    "green": "Recipients may pass it on inside their community.",
    "amber": "Recipients may pass it on inside their organisation and to its clients, to those who need to know.",
    "amber+strict": "Recipients may pass it on inside their organisation only, to those who need to know.",
    "red": "For the individual recipients only.",
}
SEVERITIES: dict[str, str] = {
    "informational": "Worth recording, nothing to do.",
    "low": "Of little consequence.",
    "medium": "To be looked at in the normal course of work.",
    "high": "To be looked at soon.",
    "critical": "To be looked at now.",
    "fatal": "Damage is done; to be dealt with now.",
}
MEASURES: dict[str, str] = {
    "onsets": "How many members newly see a threat family.",
    "contributors": "How many members took part.",
    "events": "How many events there were.",
    "sources": "How many different source addresses there were.",
    "destinations": "How many different destination addresses there were.",
}
FIELDS: dict[str, str] = {
    "owner": "The organisation whose event it is.",
    "sensor": "The tool that saw it.",
    "owner_sector": "The economic activity of the organisation whose event it is.",
    "owner_region": "Country and region of the organisation whose event it is.",
    "owner_size": "The size band of the organisation whose event it is.",
    "signature": "The rule of the tool that matched.",
    "attack": "The technique, as MITRE ATT&CK numbers it.",
    "fingerprint": "How a client sets up an encrypted connection, as a hash.",
    "volume": "Bytes and packets.",
}
NOISE = (
    "Numbers are blurred so that nobody can tell whether one organisation took part. Epsilon says how much may be "
    "learnt in an eight-week window; less is stricter (differential privacy, delta one in a million)."
)
LOOKUP = "A reader that already knows a value may ask whether it is there. Each question is counted, logged and shown."
AGES = "Counted from the time of the event."


def point(name: str) -> str:
    """The meaning of a named point such as `pseudonym+network`."""
    token, plus, precision = name.partition("+")
    return f"{TERMS[token]} Beside it: {_lower(TERMS[precision])}" if plus else TERMS[name]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
