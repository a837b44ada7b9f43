"""Any network and metric as a function that Captum's attribution methods take.

When to use: for a method of Captum's that is not here. Integrated gradients and occlusion have functions of their own
(`integrated_gradients.py`, whose sum is checked; `occlusion.py`), GradCAM is Captum's (`grad_cam.py`).

    forward = captum_forward(network, Value())
    captum.attr.Saliency(forward).attribute(inputs, additional_forward_args=numbers)

Captum is imported by those who call it: `pip install 'procscope[saliency]'`.

Axes: `row` inputs of a pass.
"""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from procscope.activations.forward import read_network
from procscope.interventions.circuits.metrics import Metric

Forward = Callable[[Tensor, Tensor], Tensor]


def captum_forward(network: nn.Module, metric: Metric) -> Forward:
    """(inputs [row, channel, rows, cols], numbers [row]) -> the metric of each row.

    `numbers` says which of the frames each row belongs to, for metrics with an entry for each: give it as
    `additional_forward_args`, which Captum repeats along with the inputs.
    """

    def forward(
        inputs: Float[Tensor, "row channel rows cols"], numbers: Int[Tensor, " row"]
    ) -> Float[Tensor, " row"]:
        return metric.measured(read_network(network, inputs), numbers)

    return forward
