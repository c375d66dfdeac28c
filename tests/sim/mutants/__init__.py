"""Each invariant switched off in the real code, one at a time: what the simulator is worth is how soon it notices.

A mutant replaces one name of the product while it is planted. It is caught by a seed whose run breaks the very law that
it stands for; a run that breaks another law first does not count.
"""

from typing import Final

from tests.sim.mutants.consent import CONSENT
from tests.sim.mutants.core import BOUNDS, CORE
from tests.sim.mutants.halting import HALTING
from tests.sim.mutants.origins import ORIGINS
from tests.sim.mutants.past import PAST
from tests.sim.mutants.planting import Mutant
from tests.sim.mutants.proofs import PROOFS
from tests.sim.mutants.telling import TELLING

BY_PART: Final = {3: (*CORE, *PROOFS), 4: ORIGINS, 5: (*CONSENT, *TELLING), 7: (*BOUNDS, *PAST, *HALTING)}
"""Those of the laws that each part brought."""
MUTANTS: Final = tuple(mutant for some in BY_PART.values() for mutant in some)

__all__ = ["BY_PART", "MUTANTS", "Mutant"]
