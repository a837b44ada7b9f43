"""GradCAM: where in a map the channels lie that a metric rests on.

When to use: for a coarse map that is quick and whose places are those of a late layer. Each channel is weighted by its
mean gradient over the map; a place counts for the weighted sum of its channels:

    map[row, col] = sum over channels of mean(d metric / d a[channel]) x a[channel, row, col]

    found = grad_cam(network, frames, Value(), "conv_out")
    found.per_place[0]                                        # [row, col] of the hook point's map, signed
    plot_saliency([SaliencyPanel("GradCAM", picture, found.per_place[0])], label="value")

Policies (`MoveLogOdds`, `ActionLogit`), values (`Value`) and rewards (`ActionReward`) alike. Negative places speak
against the metric; the published method cuts them off (`relu=True`).

Limits: it says where the layer is, not which pixels it looks at: receptive fields of late layers cover the frame
(`procscope.visualization.receptive_fields`). Mean gradients of one sign hide places of the other.

Source: Selvaraju et al. 2017 (arXiv:1610.02391), by Captum's LayerGradCam.
Cost: a forward and a backward pass a frame.

Axes: `frame`; `row col` places of the map.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from procscope.activations.capture import evaluation_mode
from procscope.activations.hooks import HookedModules, HookedNetwork, select_points, unknown_hook_point
from procscope.interventions.circuits.captum_forward import captum_forward
from procscope.interventions.circuits.metrics import Metric
from procscope.interventions.circuits.pictures import FRAMES_AT_ONCE, metric_of, network_pictures
from procscope.interventions.circuits.plain_runs import refuse_memory


@dataclass(frozen=True, eq=False)
class GradCam:
    """The map of each frame."""

    metric: Metric
    hook_point: str
    per_place: Float[np.ndarray, "frame row col"]
    """Weighted sum of channels, in the metric's unit."""
    output: Float[np.ndarray, " frame"]
    """The metric of each frame."""


def grad_cam(
    network: nn.Module, frames: np.ndarray, metric: Metric, hook_point: str, *, relu: bool = False
) -> GradCam:
    """The map of each frame.

    The network runs where it is, in evaluation mode; its parameters get no gradients, and it is left as it was.

    Args:
        frames: uint8 pictures [frame, row, col, rgb].
        hook_point: of a `HookedNetwork`; of any other module, the path of a submodule.
        relu: keep only what speaks for the metric.

    Raises ValueError: an unknown hook point or one without maps, a metric that does not depend on it; Captum is not
        installed; and as `integrated_gradients`.
    """
    try:
        from captum.attr import LayerGradCam
    except ImportError:
        raise ValueError(
            "grad_cam needs Captum, which is not installed. Run `pip install 'procscope[saliency]'`"
        ) from None
    refuse_memory(network)
    metric.require_entries(len(frames))
    inputs = network_pictures(network, frames, 0).frames
    layer = _layer(network, hook_point)
    numbers = torch.arange(len(frames), device=inputs.device)
    method = LayerGradCam(captum_forward(network, metric), layer)
    parts = []
    with evaluation_mode(network), torch.inference_mode(False), torch.enable_grad():
        output = metric_of(network, inputs, metric, numbers)
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            part = slice(start, start + FRAMES_AT_ONCE)
            given = inputs[part].detach().clone().requires_grad_()
            try:
                found = method.attribute(given, additional_forward_args=numbers[part], relu_attributions=relu)
            except (RuntimeError, IndexError) as error:
                raise ValueError(
                    f"expected a hook point between the picture and the metric; {hook_point!r} gave: {error}"
                ) from error
            assert isinstance(found, torch.Tensor)
            if found.ndim != 4:
                raise ValueError(
                    f"expected a hook point with maps, for GradCAM; {hook_point!r} has none. Choose an earlier one"
                )
            parts.append(found[:, 0].detach().cpu())
    return GradCam(metric, hook_point, torch.cat(parts).double().numpy(), output.double().cpu().numpy())


def _layer(network: nn.Module, hook_point: str) -> nn.Module:
    """What Captum hooks: the hook point, which is a module itself, or the submodule of that name."""
    if isinstance(network, HookedNetwork) and not isinstance(network, HookedModules):
        return select_points(network.hook_points(), hook_point)[hook_point]
    inner = network.model if isinstance(network, HookedModules) else network
    modules = dict(inner.named_modules())
    if hook_point not in modules:
        raise ValueError(unknown_hook_point(hook_point, [name for name in modules if name]))
    return modules[hook_point]
