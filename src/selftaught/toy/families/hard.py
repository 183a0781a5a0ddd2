"""Compute-heavy maths: ten families that are a few lines of Python and a long way by hand.

Numbers in a question are at most 99, or are made of such pairs (``2023`` is the tokens ``20`` and ``23``): the embedded
model reads numbers in groups of two digits, and copying them is what limits so small a model.
"""

from __future__ import annotations

import random
from math import comb

from selftaught.records import ProblemKind
from selftaught.toy.families.item import Family, Item, listing, pick


def _item(family: str, question: str, answer: int, programs: tuple[str, ...], working: tuple[str, ...]) -> Item:
    return Item(family, "hard", ProblemKind.MATH, question, str(answer), programs, working)


def modpow(rng: random.Random) -> Item:
    """Remainder of a power."""
    base = rng.randint(2, 99)
    exponent = rng.randint(1000, 9999) if rng.random() < 0.5 else rng.randint(20, 99)
    modulus = pick(rng, (rng.randint(11, 99), rng.randint(101, 999), 100, 1000))
    question = pick(
        rng,
        (
            f"What is the remainder when {base}^{exponent} is divided by {modulus}?",
            f"Find the remainder of {base}^{exponent} on division by {modulus}.",
            f"The number {base}^{exponent} is divided by {modulus}. What remainder is left?",
            f"Compute {base}^{exponent} modulo {modulus}.",
        ),
    )
    programs = (
        f"print(pow({base}, {exponent}, {modulus}))",
        f"print({base} ** {exponent} % {modulus})",
        f"r = 1\nfor i in range({exponent}):\n    r = r * {base} % {modulus}\nprint(r)",
    )
    working = (
        f"We need {base}^{exponent} modulo {modulus}. The powers of {base} repeat, which leaves {{guess}}.",
        f"The remainder of {base}^{exponent} by {modulus} is wanted. Multiplying step by step I reach {{guess}}.",
    )
    return _item("modpow", question, pow(base, exponent, modulus), programs, working)


def _ways(amount: int, coins: list[int]) -> int:
    ways = [1] + [0] * amount
    for coin in coins:
        for value in range(coin, amount + 1):
            ways[value] += ways[value - coin]
    return ways[amount]


def coin_ways(rng: random.Random) -> Item:
    """Ways to pay an amount."""
    coins = sorted(rng.sample(range(2, 26), 3))
    amount = rng.randint(60, 300)
    listed = listing(coins)
    question = pick(
        rng,
        (
            f"In how many ways can {amount} cents be paid with coins of {listed} cents?",
            f"Coins are worth {listed} cents. How many ways are there to pay {amount} cents?",
            f"How many ways are there to make {amount} cents from coins of {listed} cents?",
        ),
    )
    a, b, c = coins
    programs = (
        f"ways = [1] + [0] * {amount}\nfor c in [{a}, {b}, {c}]:\n    for i in range(c, {amount} + 1):\n"
        f"        ways[i] += ways[i - c]\nprint(ways[{amount}])",
        f"count = 0\nfor x in range({amount} // {a} + 1):\n    for y in range({amount} // {b} + 1):\n"
        f"        r = {amount} - {a} * x - {b} * y\n        if r >= 0 and r % {c} == 0:\n            count += 1\nprint(count)",
    )
    working = (
        f"We pay {amount} cents with coins of {listed} cents. Going through the largest coin I count {{guess}} ways.",
        f"Coins of {listed} cents must make {amount} cents. Listing the cases gives {{guess}}.",
    )
    return _item("coin_ways", question, _ways(amount, coins), programs, working)


def _greedy_successes(limit: int, small: int, large: int) -> int:
    best, count = [0], 0
    for amount in range(1, limit + 1):
        best.append(1 + min(best[amount - coin] for coin in (1, small, large) if coin <= amount))
        rest = amount % large
        count += amount // large + rest // small + rest % small == best[amount]
    return count


def coin_greedy(rng: random.Random) -> Item:
    """START's coin problem (AIME 2025 II 8): for how many amounts does the greedy choice use the fewest coins?"""
    small = rng.randint(3, 19)
    large = rng.randint(small + 2, 40)
    limit = rng.randint(50, 400)
    question = pick(
        rng,
        (
            f"Coins are worth 1, {small} and {large} cents. For how many amounts from 1 to {limit} cents does the greedy "
            "method use the fewest coins?",
            f"There are coins of 1, {small} and {large} cents. The greedy method takes the largest coin first. For how "
            f"many amounts from 1 to {limit} cents is it best?",
        ),
    )
    programs = (
        f"best = [0]\ncount = 0\nfor n in range(1, {limit} + 1):\n"
        f"    best.append(1 + min(best[n - c] for c in [1, {small}, {large}] if c <= n))\n"
        f"    g = n // {large} + n % {large} // {small} + n % {large} % {small}\n"
        "    if g == best[n]:\n        count += 1\nprint(count)",
    )
    working = (
        f"Coins of 1, {small} and {large} cents, amounts up to {limit}. Looking for where the greedy method fails, I "
        "count {guess} good amounts.",
        f"The greedy method takes {large} first, then {small}, then 1, up to {limit}. Counting the good amounts gives "
        "{guess}.",
    )
    return _item("coin_greedy", question, _greedy_successes(limit, small, large), programs, working)


def digit_sum(rng: random.Random) -> Item:
    """Digit sum of a power."""
    base, exponent = rng.randint(2, 39), rng.randint(12, 99)
    question = pick(
        rng,
        (
            f"What is the sum of the digits of {base}^{exponent}?",
            f"Find the digit sum of {base}^{exponent}.",
            f"The number {base}^{exponent} is written out. What do its digits add up to?",
        ),
    )
    programs = (
        f"print(sum(int(d) for d in str({base} ** {exponent})))",
        f"n = {base} ** {exponent}\ns = 0\nwhile n:\n    s += n % 10\n    n //= 10\nprint(s)",
    )
    working = (
        f"We write out {base}^{exponent} and add its digits. I get {{guess}}.",
        f"The digits of {base}^{exponent} are wanted. Adding them one by one gives {{guess}}.",
    )
    return _item("digit_sum", question, sum(map(int, str(base**exponent))), programs, working)


def neither(rng: random.Random) -> Item:
    """Numbers divisible by neither of two."""
    first, second = sorted(rng.sample(range(3, 30), 2))
    limit = rng.randint(100, 3000)
    question = pick(
        rng,
        (
            f"How many integers from 1 to {limit} are divisible by neither {first} nor {second}?",
            f"How many of the numbers 1 to {limit} are multiples of neither {first} nor {second}?",
            f"Count the integers from 1 to {limit} that neither {first} nor {second} divides.",
        ),
    )
    programs = (
        f"print(sum(1 for n in range(1, {limit} + 1) if n % {first} and n % {second}))",
        f"count = 0\nfor n in range(1, {limit} + 1):\n    if n % {first} != 0 and n % {second} != 0:\n        count += 1\n"
        "print(count)",
    )
    working = (
        f"From 1 to {limit} we drop the multiples of {first} and of {second}. That leaves {{guess}}.",
        f"Multiples of {first} and {second} go out of 1 to {limit}. Taking the overlap back I get {{guess}}.",
    )
    answer = sum(1 for n in range(1, limit + 1) if n % first and n % second)
    return _item("neither", question, answer, programs, working)


_PRIMES = [n for n in range(2, 3100) if all(n % d for d in range(2, int(n**0.5) + 1))]


def primes_between(rng: random.Random) -> Item:
    """Primes in an interval."""
    low = rng.randint(10, 900)
    high = low + rng.randint(100, 2000)
    question = pick(
        rng,
        (
            f"How many primes lie between {low} and {high}?",
            f"How many prime numbers are greater than {low} and less than {high}?",
            f"Count the primes p with {low} < p < {high}.",
        ),
    )
    programs = (
        f"count = 0\nfor n in range({low} + 1, {high}):\n    if all(n % d for d in range(2, int(n ** 0.5) + 1)):\n"
        "        count += 1\nprint(count)",
        f"print(sum(1 for n in range({low} + 1, {high}) if all(n % d for d in range(2, int(n ** 0.5) + 1))))",
    )
    working = (
        f"We look for primes between {low} and {high}. Striking out multiples I am left with {{guess}}.",
        f"The primes from {low} to {high} are wanted. Counting them in blocks gives {{guess}}.",
    )
    return _item("primes_between", question, sum(low < p < high for p in _PRIMES), programs, working)


def _rolls(dice: int, total: int, sides: int) -> int:
    counts = {0: 1}
    for _ in range(dice):
        grown: dict[int, int] = {}
        for value, count in counts.items():
            for side in range(1, sides + 1):
                grown[value + side] = grown.get(value + side, 0) + count
        counts = grown
    return counts.get(total, 0)


def dice(rng: random.Random) -> Item:
    """Ordered rolls with a given sum."""
    num, sides = rng.randint(3, 5), rng.randint(4, 12)
    total = rng.randint(num + 3, num * sides - 3)
    question = pick(
        rng,
        (
            f"{num} dice with {sides} sides each are rolled. In how many ways can they sum to {total}?",
            f"In how many ordered ways can {num} dice with {sides} sides show a sum of {total}?",
            f"How many rolls of {num} dice with {sides} sides add up to {total}?",
            f"Take {num} dice with {sides} sides. How many ordered rolls have the sum {total}?",
        ),
    )
    programs = (
        f"from itertools import product\nprint(sum(1 for r in product(range(1, {sides} + 1), repeat={num}) if sum(r) == {total}))",
        f"ways = {{0: 1}}\nfor i in range({num}):\n    new = {{}}\n    for s in ways:\n        for d in range(1, {sides} + 1):\n"
        f"            new[s + d] = new.get(s + d, 0) + ways[s]\n    ways = new\nprint(ways[{total}])",
    )
    working = (
        f"We have {num} dice with {sides} sides and a sum of {total}. Counting by the first one I get {{guess}}.",
        f"The sum is {total} with {num} dice of {sides} sides. Going through the cases gives {{guess}}.",
    )
    return _item("dice", question, _rolls(num, total, sides), programs, working)


def pairs(rng: random.Random) -> Item:
    """Lattice points under a line."""
    first, second = rng.randint(2, 19), rng.randint(2, 19)
    limit = rng.randint(60, 400)
    question = pick(
        rng,
        (
            f"How many pairs (x, y) of positive integers satisfy {first}x + {second}y < {limit}?",
            f"Count the pairs of positive integers x, y with {first}x + {second}y < {limit}.",
            f"Find the number of positive integer pairs (x, y) such that {first}x + {second}y is less than {limit}.",
        ),
    )
    programs = (
        f"print(sum(1 for x in range(1, {limit}) for y in range(1, {limit}) if {first} * x + {second} * y < {limit}))",
        f"count = 0\nfor x in range(1, {limit}):\n    r = {limit} - 1 - {first} * x\n    if r > 0:\n        count += r // {second}\n"
        "print(count)",
    )
    working = (
        f"We need {first}x + {second}y below {limit}. Adding up over x I count {{guess}} pairs.",
        f"With {first}x + {second}y < {limit}, about half of a rectangle of pairs is in. That gives {{guess}}.",
    )
    answer = sum(max(0, (limit - 1 - first * x) // second) for x in range(1, limit))
    return _item("pairs", question, answer, programs, working)


def recurrence(rng: random.Random) -> Item:
    """A linear recurrence modulo m."""
    start, factor, shift = rng.randint(1, 20), rng.randint(2, 20), rng.randint(1, 20)
    modulus, steps = rng.randint(31, 99), rng.randint(15, 99)
    question = pick(
        rng,
        (
            f"Start with {start}. In each step multiply by {factor}, add {shift} and take the remainder by {modulus}. What is "
            f"the number after {steps} steps?",
            f"A counter shows {start}. Each step it is multiplied by {factor}, {shift} is added and it is reduced modulo "
            f"{modulus}. What does it show after {steps} steps?",
        ),
    )
    value = start
    for _ in range(steps):
        value = (value * factor + shift) % modulus
    programs = (
        f"x = {start}\nfor i in range({steps}):\n    x = (x * {factor} + {shift}) % {modulus}\nprint(x)",
        f"x = {start}\ni = 0\nwhile i < {steps}:\n    x = ({factor} * x + {shift}) % {modulus}\n    i += 1\nprint(x)",
    )
    working = (
        f"We start with {start}, multiply by {factor} and add {shift} modulo {modulus}, for {steps} steps. I reach {{guess}}.",
        f"From {start}, {steps} steps of times {factor} plus {shift} modulo {modulus} lead to {{guess}}.",
    )
    return _item("recurrence", question, value, programs, working)


def comb_mod(rng: random.Random) -> Item:
    """Remainder of a number of subsets."""
    size = rng.randint(14, 60)
    taken, modulus = rng.randint(4, size - 4), rng.randint(31, 99)
    question = pick(
        rng,
        (
            f"In how many ways can {taken} of {size} people be chosen? Give the remainder by {modulus}.",
            f"A team of {taken} is taken from {size} people. What is the number of teams modulo {modulus}?",
            f"Find the number of ways to choose {taken} things out of {size}, modulo {modulus}.",
        ),
    )
    programs = (
        f"from math import comb\nprint(comb({size}, {taken}) % {modulus})",
        f"c = 1\nfor i in range({taken}):\n    c = c * ({size} - i) // (i + 1)\nprint(c % {modulus})",
    )
    working = (
        f"We choose {taken} of {size} and reduce modulo {modulus}. Cancelling factors I get {{guess}}.",
        f"The number of ways to take {taken} of {size}, modulo {modulus}, is wanted. Multiplying it out gives {{guess}}.",
    )
    return _item("comb_mod", question, comb(size, taken) % modulus, programs, working)


HARD: dict[str, Family] = {
    "modpow": modpow,
    "coin_ways": coin_ways,
    "coin_greedy": coin_greedy,
    "digit_sum": digit_sum,
    "neither": neither,
    "primes_between": primes_between,
    "dice": dice,
    "pairs": pairs,
    "recurrence": recurrence,
    "comb_mod": comb_mod,
}
