import pytest
import torch

from softdraw.molecules.model.lookup import count_features, read_table


def test_whole_numbers_are_read_as_their_own_rows():
    table = torch.arange(24.0).view(4, 3, 2)
    row, column = torch.tensor([0, 3, 2]), torch.tensor([2, 0, 1])
    assert torch.equal(read_table(table, row, column, 4), table[row, column])
    assert torch.equal(read_table(table, row.double(), column.double(), 4), table[row, column])
    assert count_features(torch.tensor([-5, -1, 1, 7]), -1, 1, torch.float32).argmax(1).tolist() == [
        0,
        0,
        2,
        2,
    ]


@pytest.mark.parametrize("value", [0.0, 1.0, 2.0, 3.0])
def test_a_count_has_the_slope_between_its_neighbours(value):
    weight = torch.tensor([1.0, 4.0, 9.0, 25.0])
    count = torch.tensor(value, requires_grad=True)
    read = count_features(count, 0, 3, torch.float32) @ weight
    assert read == weight[int(value)]
    read.backward()
    below, above = max(0, int(value) - 1), min(3, int(value) + 1)
    assert count.grad == (weight[above] - weight[below]) / 2


def test_an_entry_has_a_slope_along_both_numbers_and_rows_that_are_no_scale_have_none():
    table = torch.tensor([[[1.0], [2.0]], [[4.0], [8.0]], [[16.0], [32.0]], [[500.0], [900.0]]])
    row = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    column = torch.tensor([0.0, 1.0, 0.0], requires_grad=True)
    read = read_table(table, row, column, 3)
    assert read.flatten().tolist() == [4.0, 32.0, 500.0]
    read.sum().backward()
    assert row.grad.tolist() == [(16 - 1) / 2, (32 - 8) / 2, 0.0]
    assert column.grad.tolist() == [(8 - 4) / 2, (32 - 16) / 2, (900 - 500) / 2]
