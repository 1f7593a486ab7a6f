"""The register of agreements: signed documents and statements, the live policy they make, and the parties' view of it.

Rules: only what is fully signed, by keys of organisations we know, in an unbroken chain, counts; everything else is
absent. Every change raises the policy epoch in its own transaction and is in the audit log.
"""
