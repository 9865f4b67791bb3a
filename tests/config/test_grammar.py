"""Words that Hydra's grammar refuses, and values written in it."""

import shlex

import pytest

from kancli.config.grammar import literal, multirun_message, parse
from kancli.errors import ConfigError

NAMES = ["größe.csv", "epoch=1.csv", "a'b.csv", 'a"b.csv', "a(1).csv", "[a].csv", "{a}.csv", "a#.csv", "a'b$c.csv"]


@pytest.mark.parametrize("name", NAMES)
def test_a_refused_name_comes_back_quoted_ready_to_paste(name):
    with pytest.raises(ConfigError, match="cannot be parsed") as error:
        parse([f"inputs={name}"])
    (line,) = error.value.faults
    (word,) = shlex.split(line.partition("quote the value and the word: ")[2])
    assert parse([word])[0].value() == name


def test_a_name_with_a_comma_comes_back_quoted():
    message = multirun_message(parse(["inputs=a,b.csv"])[0])
    assert "\"inputs='a,b.csv'\"" in message
    assert "add -m" in message


@pytest.mark.parametrize("value", [*NAMES, "a\\b", "a\\", "a\\\\", "a\\'b", "a,b", " a ", "", "${b}", "null", "1"])
def test_a_literal_is_parsed_as_the_same_text(value):
    assert parse([f"inputs.path={literal(value)}"])[0].value() == value


def test_other_words_keep_the_general_hint():
    for word in ("=3", "seed=[1,2", "title=a(b"):
        with pytest.raises(ConfigError, match=r"KEY=VALUE|brackets"):
            parse([word])
