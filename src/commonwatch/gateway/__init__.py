"""The gateway at a member's site: tail, label, enforce at the edge, spool, send; receive agreements and indicators.

Rules held in this room: nothing leaves that the owner did not sign for (`edge`, checked again before sending); offsets
and spooled batches are committed in one transaction, so that a kill at any moment neither loses nor repeats an event;
without a fresh verified snapshot nothing is read and nothing is sent; the protocol core does no I/O and has no clock.
"""
