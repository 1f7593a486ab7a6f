"""`commonwatch agreement`: check, say, read, sign, verify, compare documents; what they show. Keys stay in their files.

Errors name the path in the document or the line of the text. Exit 0 is success, 1 a check that failed, 2 bad input.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys

import msgspec

from commonwatch.agreements import signing
from commonwatch.agreements.check import check
from commonwatch.agreements.decode import canonical, decode, digest, from_json, json_schema, to_yaml
from commonwatch.agreements.diagnose import Diagnosis, diagnose
from commonwatch.agreements.document import Agreement, Document
from commonwatch.agreements.english import read, say
from commonwatch.agreements.impact.world import World
from commonwatch.agreements.locked import lock
from commonwatch.agreements.terms import certificate, iep
from commonwatch.cli import agreement_preview, drafting, life, seen
from commonwatch.cli import agreement_questions as asked
from commonwatch.cli.files import is_envelope, passphrase
from commonwatch.cli.files import jwk as _jwk
from commonwatch.cli.files import text as _text
from commonwatch.cli.files import write as _write
from commonwatch.errors import CommonwatchError, InvalidInput


def add(parser: argparse.ArgumentParser) -> None:
    """The subcommands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    one = _command(actions, "check", "find every problem of a document and print it in English", _check)
    one.add_argument("file", help="document (YAML or JSON) or signed envelope; - is standard input")
    one = _command(actions, "say", "print a document in English: the text people sign", _say)
    one.add_argument("file", help="document or signed envelope; - is standard input")
    one = _command(actions, "read", "turn the English text back into a document", _read)
    one.add_argument("file", help="text as `say` prints it; - is standard input")
    one.add_argument("--json", action="store_true", help="canonical JSON instead of YAML")
    _command(actions, "schema", "print the JSON Schema of documents", _schema)
    one = _command(actions, "keygen", "make an Ed25519 key; prints the thumbprint that goes into the document", _keygen)
    one.add_argument("file", help="where to write the private key (JWK); never overwritten")
    one.add_argument("--passphrase", action="store_true", help="ask for a passphrase and lock the file with it")
    one = _command(actions, "sign", "sign an offer at a hub; or, with --out, a document or envelope in a file", _sign)
    one.add_argument("file", help="the offer's name or hash; with --out a document or partly signed envelope")
    one.add_argument("--key", required=True, help="private key file made by `keygen`")
    one.add_argument("--out", help="where to write the envelope; may be the file itself")
    life.add_consent(one)
    one = _command(actions, "verify", "verify that every party, and nobody else, signed", _verify)
    one.add_argument("file", help="envelope, or record as `export` gives it; - is standard input")
    one = _command(actions, "certificate", "verify a certificate of withdrawal and print it", _certificate)
    one.add_argument("file", help="envelope, or the answer of /api/agreements/ID/withdrawals; - is standard input")
    one.add_argument("--key", help="thumbprint of the hub's key; without it, whoever signed is told")
    one = _command(actions, "iep", "print an agreement's duties as a FIRST IEP 2.0 policy file", _iep)
    one.add_argument("file", help="document or signed envelope; - is standard input")
    one = _command(actions, "diff", "compare two documents sentence by sentence, and by what they show", _diff)
    one.add_argument("old")
    one.add_argument("new")
    asked.add_world(one)
    one = _command(actions, "impact", "what a change newly shows and no longer shows", _impact)
    asked.add_impact(one)
    seen.add(actions)
    agreement_preview.add(actions)
    drafting.add(actions)
    life.add(actions)
    one = _command(actions, "lint", "what is useless, contradictory or undercut in documents, with examples", _lint)
    asked.add_lint(one)
    one = _command(actions, "who-sees", "who sees a field, how precisely, under which clauses", _who_sees)
    asked.add_who_sees(one)


def _command(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, run: object
) -> argparse.ArgumentParser:
    made = actions.add_parser(name, help=text, description=text)
    made.set_defaults(run=run)
    return made


def _check(args: argparse.Namespace) -> int:
    """Exit 1 with every problem at once, each with its path, its line and what to do. The text is for what is whole."""
    source = _text(args.file)
    found = diagnose(source) if not is_envelope(source) else Diagnosis()
    for fault in found.problems:
        line = f" (line {fault.line})" if fault.line else ""
        print(f"{fault.path}{line}: {fault.message} ({fault.todo})", file=sys.stderr)
    if found.problems:
        print(found.text or "", end="")
        return 1
    document = _opened(source)
    check(document)
    print(say(document), end="")
    asked.print_findings(asked.findings([document], [document], World()), sys.stderr)
    return 0


def _say(args: argparse.Namespace) -> int:
    document = _document(args.file)
    check(document)
    print(say(document), end="")
    return 0


def _read(args: argparse.Namespace) -> int:
    document = read(_text(args.file))
    print(canonical(document).decode() if args.json else to_yaml(document), end="\n" if args.json else "")
    return 0


def _schema(_: argparse.Namespace) -> int:
    print(json.dumps(json_schema(), indent=2))
    return 0


def _keygen(args: argparse.Namespace) -> int:
    key = signing.SigningKey.generate()
    locked = lock(key, passphrase(args.file, new=True)) if args.passphrase else None
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(args.file, flags, 0o600), "w", encoding="utf-8") as out:
            json.dump(msgspec.to_builtins(locked) if locked else key.private_jwk(), out)
    except OSError as error:
        raise InvalidInput(f"the key cannot be written: {error.strerror}", where=args.file) from None
    print(key.thumbprint)
    print(f"public half, for `commonwatch hub org key ORG --public`: {key.public.hex()}", file=sys.stderr)
    return 0


def _sign(args: argparse.Namespace) -> int:
    if args.out is None:
        return life.sign(args)
    text = _text(args.file)
    envelope = signing.envelope_from(text) if is_envelope(text) else signing.propose(decode(text))
    key = signing.SigningKey.from_jwk(_jwk(args.key))
    envelope = signing.sign_document(envelope, key)
    _write(args.out, signing.envelope_bytes(envelope))
    document = signing.read_payload(envelope)
    print(say(document), end="")
    missing = [s.id for s in signing.signers(document) if s.id not in signing.signed_by(envelope)]
    print(f"\nstill to sign: {', '.join(missing)}" if missing else "\nsigned by all", file=sys.stderr)
    return 0


def _verify(args: argparse.Namespace) -> int:
    text = _text(args.file)
    try:
        if life.is_record(text):
            return life.verify(text)
        verified = signing.verify_document(signing.envelope_from(text))
    except CommonwatchError as error:
        print(f"not valid: {error}", file=sys.stderr)
        return 1
    for signer in signing.signers(verified.document):
        print(f"signed by {signer.id} ({signer.name}), key {signer.key}")
    print(f"{verified.document.id} version {verified.document.version}, SHA-256 {verified.digest}")
    return 0


def _certificate(args: argparse.Namespace) -> int:
    """Exit 1 when one does not verify."""
    plain = from_json(_text(args.file))
    found = plain if isinstance(plain, list) else [plain]
    for each in found:
        body = each.get("envelope", each) if isinstance(each, dict) else each
        try:
            envelope = signing.envelope_from(json.dumps(body))
            verified, kid = (
                certificate.verify(envelope, args.key),
                signing.verify_message(certificate.TYPE, envelope).kid,
            )
        except CommonwatchError as error:
            print(f"not valid: {error}", file=sys.stderr)
            return 1
        print("\n".join(certificate.told(verified, kid)))
    return 0


def _iep(args: argparse.Namespace) -> int:
    document = _document(args.file)
    check(document)
    if not isinstance(document, Agreement):
        raise InvalidInput("a charter has no duties", where=args.file, todo="give an agreement")
    print(json.dumps(iep.file_of([iep.policy(iep.terms_of([document]))]), indent=2))
    return 0


def _diff(args: argparse.Namespace) -> int:
    """Exit 1 when the documents differ."""
    old, new = _document(args.old), _document(args.new)
    lines = difflib.ndiff(say(old).splitlines(), say(new).splitlines())
    changed = [line for line in lines if line[:1] in "+-"]
    beside = [_document(file) for file in args.beside]
    found = asked.between([*beside, old], [*beside, new], args)
    if args.json:
        print(json.dumps({"text": changed, "impact": msgspec.to_builtins(found)}, indent=2))
    elif changed:
        print("\n".join(changed), end="\n\n")
        asked.print_impact(found)
    else:
        print(f"the same document, SHA-256 {digest(canonical(old))}")
    return 1 if changed else 0


def _lint(args: argparse.Namespace) -> int:
    return asked.run_lint(args, _document)


def _who_sees(args: argparse.Namespace) -> int:
    return asked.run_who_sees(args, _document)


def _impact(args: argparse.Namespace) -> int:
    return asked.run_impact(args, _document)


def _document(file: str) -> Document:
    return _opened(_text(file))


def _opened(source: str) -> Document:
    """The document of a text, or of an envelope."""
    return signing.read_payload(signing.envelope_from(source)) if is_envelope(source) else decode(source)
