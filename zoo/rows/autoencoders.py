"""Autoencoders: rows 35 to 40."""

from __future__ import annotations

from zoo.figures import codes
from zoo.marks import train
from zoo.row import Case, Mark, Row

DIGITS = "--data sklearn:digits"
SMALL = {"features": 6, "hidden": 5}
DEEP = "models/pretraining.nn --data sklearn:digits"

ROWS = (
    Row(
        35,
        "PCA as a linear autoencoder",
        (Case("pca.nn", {"features": 6, "components": 2}),),
        codes.SUBSPACE,
        Mark(
            "digits: within 1 % of the SVD's error",
            (
                train(
                    35,
                    f"models/pca.nn {DIGITS} --epochs 500 --batch-size 256 --lr 0.02 "
                    "--schedule cosine",
                ),
            ),
            "test loss",
            1.01,
            most=True,
            measure=codes.over_pca("test loss", 8),
        ),
    ),
    Row(
        36,
        "Autoencoder",
        (Case("autoencoder.nn", {"features": 6, "widths": (5,), "code": 2}),),
        None,
        Mark(
            "digits: error below PCA's of the same width",
            (train(36, f"models/autoencoder.nn {DIGITS} --epochs 60 --schedule cosine"),),
            "test loss",
            1.0,
            most=True,
            measure=codes.over_pca("test loss", 8),
        ),
    ),
    Row(
        37,
        "Denoising autoencoder",
        (
            Case("denoising_ae.nn", SMALL),
            Case("denoising_ae.nn", {**SMALL, "blank": 0.3, "noise": 0.0}),
        ),
        None,
        Mark(
            "digits: error half of the noise's, blanked out and Gaussian",
            (
                train(37, f"models/denoising_ae.nn {DIGITS} --epochs 40"),
                train(
                    37,
                    f"models/denoising_ae.nn {DIGITS} --epochs 40 --set blank=0.4 --set noise=0",
                    "37-blank",
                ),
            ),
            "gain",
            2.0,
            measure=codes.smallest("gain"),
        ),
    ),
    Row(
        38,
        "Sparse autoencoder",
        (Case("sparse_ae.nn", SMALL),),
        None,
        Mark(
            "digits: mean activation within 0.02 of 0.1",
            (train(38, f"models/sparse_ae.nn {DIGITS} --epochs 30"),),
            "activity",
            0.02,
            most=True,
            measure=codes.away_from("activity", 0.1),
        ),
    ),
    Row(
        39,
        "Variational autoencoder",
        (Case("vae.nn", {**SMALL, "latent": 2}),),
        codes.KL,
        Mark(
            "digits: bound 30 % better than the prior's alone",
            (train(39, f"models/vae.nn {DIGITS} --epochs 30"),),
            "better",
            0.3,
        ),
    ),
    Row(
        40,
        "Greedy layer-wise pre-training",
        (Case("pretraining.nn", {"features": 6, "width": 5, "layers": 2}),),
        None,
        Mark(
            "digits: times the accuracy of the same net from scratch, 40 epochs each ≥ 1.02",
            (
                train(40, f"{DEEP} --epochs 40", "40-scratch"),
                train(40, f"{DEEP} --epochs 30 --section pretrain", "40-pretrained"),
                train(40, f"{DEEP} --epochs 10 --weights out/zoo/40-pretrained/best.safetensors"),
            ),
            "accuracy",
            1.02,
            measure=codes.ratio("accuracy"),
        ),
    ),
)
