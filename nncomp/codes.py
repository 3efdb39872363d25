"""The catalogue of diagnostic codes: what each means in general.

NN00xx files and limits, NN01xx syntax and names, NN02xx types and shapes, NN03xx blocks,
instances and parameters, NN04xx gradients and training, NN05xx data and weights,
NN06xx targets and devices, NN07xx verification, NN08xx models from elsewhere, NN09xx parts of the
language that are not lowered yet.
A code is never given a second meaning.
"""

from __future__ import annotations

CODES: dict[str, str] = {
    # files and limits
    "NN0001": "a file cannot be read or written",
    "NN0002": "a file is not valid UTF-8 text",
    "NN0003": "brackets, blocks or calls are nested too deeply",
    "NN0004": "a program expands to too many nodes",
    "NN0005": "a number is too large",
    "NN0006": "an import cannot be resolved",
    "NN0007": "the file asks for a language version that this compiler does not know",
    "NN0008": "a tensor is too large",
    "NN0009": "a file, a statement or a static value is too long",
    "NN0010": "a package that this needs is not installed",
    # syntax and names
    "NN0101": "the text does not follow the grammar",
    "NN0102": "a layer to the left of `|>` needs brackets",
    "NN0103": "a name is not defined",
    "NN0104": "a name is defined twice",
    "NN0105": "a string or bracket is not closed",
    "NN0106": "a statement stands where it does not belong",
    # types and shapes
    "NN0201": "a value has the wrong type",
    "NN0202": "a call has too many, too few or unknown arguments",
    "NN0203": "dtypes clash",
    "NN0204": "a tensor has the wrong number of dimensions",
    "NN0205": "a dimension has the wrong size",
    "NN0206": "a dimension is not known here",
    "NN0207": "shapes do not broadcast",
    "NN0208": "an operator's attribute is out of range",
    "NN0209": "an assertion of the program does not hold",
    "NN0210": "an axis is out of range",
    "NN0211": "static arithmetic failed",
    "NN0212": "a value that is known while compiling is needed here",
    "NN0213": "numbers mean something else here than elsewhere",
    # blocks, instances, parameters
    "NN0301": "a fn would create parameters",
    "NN0302": "two instances or parameters have one name",
    "NN0303": "a parameter is used before its block is first applied",
    "NN0304": "a shared instance is applied to inputs that need other parameter shapes",
    "NN0305": "a block contains itself",
    "NN0306": "a model lacks what the command needs",
    "NN0307": "an update does not fit",
    "NN0320": "a carry does not keep its type",
    "NN0321": "a carry is never reassigned",
    "NN0322": "the body of a scan, loop or cond yields what does not fit",
    "NN0323": "state is updated in the body of a scan, loop or cond",
    "NN0324": "what a body assigns is lost",
    # gradients and training
    "NN0401": "a gradient does not exist",
    "NN0402": "a loss is not a scalar",
    "NN0403": "nothing to train",
    "NN0404": "training went wrong",
    "NN0405": "the memory budget cannot be met",
    "NN0406": "it is not clear what to differentiate",
    "NN0407": "a search for hyperparameters is not well defined",
    "NN0408": "it is not clear what an imported model is to learn",
    "NN0409": "a loss or a probability is not what it seems",
    # data and weights
    "NN0501": "a data set cannot be used",
    "NN0502": "weights do not fit the model",
    "NN0503": "an input does not fit the model",
    # targets and devices
    "NN0601": "the opset cannot express the graph",
    "NN0602": "a device is not available",
    "NN0603": "an operator has no implementation on this backend",
    "NN0604": "the runtime refused the model",
    "NN0605": "the model was built for another processor",
    "NN0606": "the model cannot be written in this precision",
    # verification
    "NN0701": "the graph is not valid",
    "NN0702": "an operator is given operands that it does not take",
    "NN0703": "a pass changes an answer",
    # models from elsewhere
    "NN0801": "an ONNX file is damaged",
    "NN0802": "an ONNX file wants data outside its folder",
    "NN0803": "an operator is not known",
    "NN0804": "a model has what graphs have not",
    "NN0805": "an ONNX model is not well formed",
    "NN0806": "a size of an imported model is taken to be another",
    "NN0807": "two weights of an imported model are one",
}
