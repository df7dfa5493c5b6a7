"""Depths of the FIFOs between nodes."""

from hw_flow.fifo.analytic import SLACK, Schedule, depths, latency_cycles, schedule

__all__ = ["SLACK", "Schedule", "depths", "latency_cycles", "schedule"]
