"""A simulated community that writes its tools' native logs, reproducible by seed byte for byte.

The model, in short:

- **Members**: MSSPs, SMEs, CERTs and ISPs with NACE sector, ISO 3166-2 region and size band. Volumes are heavy-tailed:
  a log-normal factor (sigma 0.9) on a base by size band.
- **Rhythm**: a working-day curve in local time with a lunch dip; weekends at a quarter; scanners and servers keep a
  floor at night.
- **World**: outside hosts in documentation and benchmark ranges only, outside names under `.example` and `.test`.
  Scanning campaigns hit a random share of the members at once; several malware families cause short, independent
  infections.
- **Outbreak**: one family with its own infrastructure reaches seed members first and spreads along a logistic curve
  over some hours, with a preference for one sector. Each case is a chain: mail, download, beacons, moves inside.
- **Windows**: every (member, hour) has its own random stream, so that any window gives the same records, live or not.
"""

from commonwatch.simulate.community import Community, community
from commonwatch.simulate.members import Member
from commonwatch.simulate.params import Outbreak, Params

__all__ = ["Community", "Member", "Outbreak", "Params", "community"]
