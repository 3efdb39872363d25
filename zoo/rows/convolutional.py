"""Convolutional networks: rows 9 to 22, and 61 of the same file as 22."""

from __future__ import annotations

from zoo.figures import codes, images
from zoo.figures.counts import parameters
from zoo.marks import train
from zoo.row import Case, Mark, Row

DIGITS = "--data sklearn:digits"
DEEP = (
    f"models/resnet.nn --model CifarResNet {DIGITS} --set channels=1 --set size=8 --set depth=44 "
    "--epochs 4"
)
TEXT = {"words": 11, "classes": 3, "width": 5, "filters": 4}

LENET = train(10, f"models/lenet5.nn {DIGITS} --epochs 20 --lr 3e-3 --schedule cosine --shift 1")
ADDING = (
    "models/tcn.nn --set levels=5 --set k=5 --set channels=16 --batch-size 32 --lr 4e-3 "
    "--data generated:adding,samples=6000"
)

ROWS = (
    Row(
        9,
        "Neocognitron-style S- and C-cells",
        (Case("neocognitron.nn", {"planes": (3, 5), "size": 12}),),
        None,
        Mark(
            "digits ≥ 93 %",
            (train(9, f"models/neocognitron.nn {DIGITS} --epochs 8"),),
            "accuracy",
            0.93,
        ),
    ),
    Row(
        10,
        "LeNet-5",
        (Case("lenet5.nn"),),
        parameters("lenet5.nn", (61_706, {})),
        Mark(
            "digits ≥ 98 %",
            (LENET,),
            "accuracy",
            0.98,
        ),
    ),
    Row(
        11,
        "AlexNet (two groups, LRN)",
        (Case("alexnet.nn", {"size": 63}, heavy=True),),
        parameters("alexnet.nn", (60_965_224, {})),
    ),
    Row(
        12,
        "VGG-16, VGG-19",
        (Case("vgg.nn", {"depth": 11, "size": 32, "classes": 10}, sizes=(1, 3), heavy=True),),
        parameters("vgg.nn", (138_357_544, {}), (143_667_240, {"depth": 19})),
    ),
    Row(
        13,
        "GoogLeNet (Inception v1)",
        (
            Case(
                "googlenet.nn",
                {"size": 80, "auxiliary": True, "classes": 10},
                sizes=(1, 3),
                heavy=True,
            ),
        ),
        parameters("googlenet.nn", (6_998_552, {})),
    ),
    Row(
        14,
        "ResNet-18/34/50/101/152",
        (
            Case("resnet.nn", {"depth": 18, "size": 32, "classes": 10}, heavy=True),
            Case("resnet.nn", {"depth": 8, "size": 12}, "CifarResNet"),
        ),
        parameters(
            "resnet.nn",
            (11_689_512, {"depth": 18}),
            (21_797_672, {"depth": 34}),
            (25_557_032, {}),
            (44_549_160, {"depth": 101}),
            (60_192_808, {"depth": 152}),
        ),
        Mark(
            "ResNet-20 on digits ≥ 98.5 %",
            (
                train(
                    14,
                    f"models/resnet.nn --model CifarResNet {DIGITS} --set channels=1 --set size=16 "
                    "--epochs 12 --schedule cosine --shift 1 --batch-size 32",
                ),
            ),
            "accuracy",
            0.985,
        ),
    ),
    Row(
        15,
        "Plain 34-layer net",
        (
            Case(
                "resnet.nn",
                {"depth": 18, "size": 32, "classes": 10, "residual": False},
                sizes=(1, 3),
                heavy=True,
            ),
        ),
        None,
        Mark(
            "digits: times the accuracy of 44 plain layers that as many of row 14 reach ≥ 1.1",
            (
                train(15, f"{DEEP} --set residual=false", "15-plain"),
                train(15, DEEP, "15-residual"),
            ),
            "accuracy",
            1.1,
            measure=codes.ratio("accuracy"),
        ),
    ),
    Row(
        16,
        "DenseNet-121",
        (Case("densenet.nn", {"size": 32, "growth": 4}, heavy=True),),
        parameters("densenet.nn", (7_978_856, {})),
    ),
    Row(
        17,
        "U-Net",
        (Case("unet.nn", {"size": 60, "width": 3, "levels": 2}),),
        images.UNET_MAP,
        Mark(
            "digits on photographs: IoU of the strokes ≥ 0.85",
            (
                train(
                    17,
                    "models/unet.nn --data sklearn:strokes --set size=60 --set width=8 "
                    "--set levels=2 --epochs 3 --batch-size 16 --lr 0.01",
                ),
            ),
            "iou",
            0.85,
        ),
    ),
    Row(
        18,
        "Text CNN",
        (Case("text_cnn.nn", TEXT),),
        None,
        Mark(
            "sentences of data-set descriptions ≥ 90 %",
            (train(18, "models/text_cnn.nn --data sklearn:sentences --epochs 25 --batch-size 16"),),
            "accuracy",
            0.9,
        ),
        short="the texts have 412 sentences in all: a linear SVM of tf-idf words, pairs of words "
        "or characters names 66 % of held-out ones right, at most 75 % if they have eight words or "
        "more (340), and no more of sentences of 12, 16 or 20 words, of prose without headings and "
        "tables (164), or of the six sets alone that scikit-learn holds itself (182)",
    ),
    Row(
        19,
        "1-D CNN for sequences",
        (Case("cnn1d.nn", {"filters": (3, 5)}),),
        None,
        Mark(
            "motif detection ≥ 98 %",
            (train(19, "models/cnn1d.nn --data generated:motif --epochs 5"),),
            "accuracy",
            0.98,
            quick=True,
        ),
    ),
    Row(
        20,
        "Temporal convolutional network",
        (Case("tcn.nn", {"channels": 3, "levels": 2, "k": 3}),),
        images.RECEPTIVE_FIELD,
        Mark(
            "adding problem, T=200: MSE < 0.01",
            (
                train(20, f"{ADDING},length=50 --epochs 8", "20-50"),
                train(
                    20,
                    f"{ADDING},length=200 --epochs 5 --schedule cosine "
                    "--weights out/zoo/20-50/best.safetensors",
                ),
            ),
            "loss",
            0.01,
            most=True,
        ),
    ),
    Row(
        21,
        "Content-based music recommendation",
        (Case("music.nn", {"bins": 5, "channels": (3, 4), "hidden": 6}, sizes=(16, 19, 23)),),
        None,
        Mark(
            "generated factors: R² ≥ 0.9",
            (train(21, "models/music.nn --data generated:music --epochs 15"),),
            "r2",
            0.9,
        ),
    ),
    Row(
        22,
        "Hand-made filters; convolution as a matrix product",
        (Case("filters.nn", {"size": 7}),),
        images.TOEPLITZ,
    ),
    Row(
        61,
        "Image that maximises a filter",
        (Case("filters.nn", {"size": 9}, "Preferred"),),
        images.PREFERRED,
    ),
)
