"""The reader of models/lstm.nn (Hochreiter, Schmidhuber, 1997), without its peepholes."""

from torch import nn


class AddingLSTM(nn.Module):
    def __init__(
        self, features=2, outputs=1, hidden=64, layers=1, bidirectional=False, forget_bias=1.0
    ):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, layers, bidirectional=bidirectional, batch_first=True)
        self.head = nn.Linear(2 * hidden if bidirectional else hidden, outputs)
        for name, bias in self.lstm.named_parameters():
            if "bias" in name:
                nn.init.constant_(bias[hidden : 2 * hidden], forget_bias / 2)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])
