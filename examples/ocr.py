"""Reading text with the PP-OCR models of the package rapidocr-onnxruntime: everything around the two nets.

Written for the demo, with NumPy and Pillow alone: it handles dark, roughly horizontal lines of text. The functions take
any callable as the net, so they work with every runtime.
"""
from pathlib import Path

import numpy as np


def model_directory():
    """The folder of the model files, found without importing the package (which needs OpenCV)."""
    import importlib.util

    spec = importlib.util.find_spec("rapidocr_onnxruntime")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package rapidocr-onnxruntime is not installed: run 'make setup'")
    return Path(spec.submodule_search_locations[0]) / "models"


def characters(model):
    """The character list of a recognition net: metadata `character`, after the CTC blank and before the space."""
    for entry in model.metadata_props:
        if entry.key == "character":
            return ["", *entry.value.splitlines(), " "]
    raise ValueError("the recognition model has no metadata entry 'character'")


def draw(text, width=640, height=320, size=36):
    """A white image with one line of black text, as uint8 [height, width, 3]."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).text((width // 12, height // 2 - size), text, fill="black",
                               font=ImageFont.truetype(str(font), size))
    return np.asarray(image)


def detection_input(image):
    """[1, 3, h, w] with the sides cut to multiples of 32, normalised as the net was trained."""
    image = image[: image.shape[0] // 32 * 32, : image.shape[1] // 32 * 32]
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    return np.ascontiguousarray(((image.astype(np.float32) / 255 - mean) / deviation).transpose(2, 0, 1)[None])


def boxes(probability, threshold=0.3, smallest=5):
    """Boxes (top, left, bottom, right) of connected regions above the threshold, in reading order.

    The net predicts shrunken text kernels, so each box is grown by what its height suggests.
    """
    mask = probability > threshold
    labels, parents = np.zeros(mask.shape, np.int32), [0]

    def root(label):
        while parents[label] != label:
            parents[label] = parents[parents[label]]
            label = parents[label]
        return label

    for y, x in zip(*np.nonzero(mask)):  # two-pass labelling, four-connected
        above, left = labels[y - 1, x] if y else 0, labels[y, x - 1] if x else 0
        if above and left:
            a, b = root(above), root(left)
            labels[y, x] = parents[max(a, b)] = min(a, b)
        elif above or left:
            labels[y, x] = above or left
        else:
            labels[y, x] = len(parents)
            parents.append(len(parents))
    roots = np.array([root(label) for label in range(len(parents))])
    labels = roots[labels]
    found = []
    for label in np.unique(labels[labels > 0]):
        ys, xs = np.nonzero(labels == label)
        top, bottom, left, right = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
        if min(bottom - top, right - left) < smallest:
            continue
        grow = int(0.75 * (bottom - top))
        found.append((max(top - grow, 0), max(left - grow, 0), min(bottom + grow, mask.shape[0]),
                      min(right + grow, mask.shape[1])))
    return sorted(found)


def recognition_input(image, box, height=48):
    """[1, 3, 48, w]: the box scaled to the height of the net; w is a multiple of 32."""
    from PIL import Image

    top, left, bottom, right = box
    crop = Image.fromarray(image[top:bottom, left:right])
    width = max(round(crop.width * height / crop.height), 32)
    padded = np.zeros((height, (width + 31) // 32 * 32, 3), np.float32)
    padded[:, :width] = np.asarray(crop.resize((width, height), Image.BILINEAR), np.float32) / 127.5 - 1
    return np.ascontiguousarray(padded.transpose(2, 0, 1)[None])


def decode(probabilities, alphabet):
    """Greedy CTC: the best class of each step, repeats merged, blanks dropped."""
    best = probabilities[0].argmax(axis=-1)
    kept = [label for step, label in enumerate(best) if label and (step == 0 or label != best[step - 1])]
    return "".join(alphabet[label] for label in kept)


def read(image, detect, recognize, alphabet):
    """The lines of text in an image, top to bottom."""
    probability = np.asarray(detect(detection_input(image)))[0, 0]
    return [decode(np.asarray(recognize(recognition_input(image, box))), alphabet) for box in boxes(probability)]
