"""The reader of models/lstm.nn (Hochreiter, Schmidhuber, 1997), without its peepholes, and with
no other forget bias than Keras' own, 1."""

from keras import Input, Model, layers


def adding_lstm(features=2, outputs=1, hidden=64, depth=1, bidirectional=False):
    x = inputs = Input((None, features))
    for _ in range(depth):
        lstm = layers.LSTM(hidden, return_sequences=True)
        x = layers.Bidirectional(lstm)(x) if bidirectional else lstm(x)
    return Model(inputs, layers.Dense(outputs)(x[:, -1]))
