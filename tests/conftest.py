"""Every annotation of the project is checked at call time while the tests run: shapes by jaxtyping, types by beartype."""

from jaxtyping import install_import_hook

install_import_hook("procscope", "beartype.beartype")
