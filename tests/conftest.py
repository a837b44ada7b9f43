"""Every annotation of the project is checked at call time while the tests run: shapes by jaxtyping, types by beartype."""

import torch
from jaxtyping import install_import_hook

install_import_hook("procscope", "beartype.beartype")
# Tests run side by side, one process a core; more threads each would only wait for one another.
torch.set_num_threads(1)
