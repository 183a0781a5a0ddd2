"""Answers that say more than a value: hedges, negations, chains, qualifiers, and signs that no rule reads.

(answer in the box, reference, whether they are the same), by kind.
"""

from __future__ import annotations

_HEDGED = [
    r"\approx", "=", r"\to", r"\sim", r"\simeq", r"\cong", r"\equiv", r"\propto", r"\mapsto", r"\mid", "|", r"\parallel", ":", ";", ",",
    r"\&", "?", r"\ldots", r"\text{ or }", r"\text{ and }", r"\text{ or maybe }", r"\text{, }", r"\text{ to }", r"\lor", r"\land", r"\ne",
    "<", r"\le", r"\\", r"\text{ but possibly }", r"\doteq", r"\text{ vs }", r"\text{ not }", r"\cup", r"\cap", r"\in", r"\subset",
    r"\text{ is wrong, it is }",
]  # fmt: skip
_NEGATED = [
    r"\neq 3", r"\ne 3", "≠3", r"\not= 3", r"\not 3", r"\neg 3", r"\lnot 3", r"3\text{ is wrong}", r"3\text{ is incorrect}", r"\text{not }3",
    r"3\text{ is not the answer}", r"x\ne3", r"\cancel{3}", r"\xcancel{3}", r"\sout{3}", "not 3", "3 is wrong", r"\text{anything but }3",
    r"3\text{ (wrong)}", r"3\text{ (false)}", r"\text{isn't }3", r"\text{never }3", r"\text{3 is wrong}", r"\text{it is not 3}", "3?",
    r"3\text{ ruled out}", r"\text{不是}3", r"3\text{ falsch}", r"\text{less than }3", r"\text{half of }3", r"3\text{ squared}",
]  # fmt: skip

MEANING_CASES: dict[str, list[tuple[str, str, bool]]] = {
    "hedges": [(f"3 {sign} 5", gold, False) for sign in _HEDGED for gold in ("3", "5")]
    + [
        (hedge, gold, False)
        for gold in ("0", "1", "3", "5")
        for hedge in (
            r"0\approx1\approx2\approx3\approx5", "0=1=2=3=5", r"\{0,1,3,5\}", "0,1,3,5", r"3\text{ (or 5)}", r"\text{either }3\text{ or }5",
            r"\begin{cases}3\\5\end{cases}", r"x=3\text{ or }x=5", r"x=3\approx5", r"x=3=5", r"\text{one of }0,1,3,5",
        )
    ],
    "approximations": [
        (r"\sqrt{2}\approx 1.414", r"\sqrt2", True),
        (r"\sqrt{2}\approx 1.414", "1.414", True),
        (r"\sqrt{2}\approx 1.5", r"\sqrt2", False),
        (r"\frac13\approx0.33", r"\frac13", True),
        (r"\pi\approx3.14", r"\pi", True),
        (r"4\pi\approx 12.57\text{ cm}", r"4\pi", True),
        (r"x\approx 3.5", "3.5", True),
        (r"3\approx 3.0\approx 3.00", "3", False),
        (r"\frac13=0.333", r"\frac13", True),
        (r"\frac13=0.4", r"\frac13", False),
    ],
    "negations": [(answer, "3", False) for answer in _NEGATED]
    + [
        (r"x\ne 3", r"x\neq 3", True),
        (r"x\ne 2", r"(-\infty,2)\cup(2,\infty)", True),
        (r"\text{does not exist}", "DNE", True),
        (r"\text{no solution}", r"\emptyset", True),
        ("False", r"\text{False}", True),
    ],
    "chains": [
        ("m+n = 70+3 = 73", "73", True),
        ("a+b+c=12+25+25=62", "62", True),
        (r"100m+n=100\cdot 3+7=307", "307", True),
        ("a^2+b^2=9+16=25", "25", True),
        ("2x+3y=4+9=13", "13", True),
        (r"\frac{m}{n}=\frac{6}{8}=\frac34", r"\frac34", True),
        ("x=2+3=5", "5", True),
        ("x=2+3=5", "x=5", True),
        (r"AB=\sqrt{9+16}=5", "5", True),
        ("AB^2=9+16=25", "25", True),
        (r"P(A)=\frac12=0.5", r"\frac12", True),
        (r"\lfloor 100x\rfloor=\lfloor 314.15\rfloor=314", "314", True),
        (r"\text{Area}=3\cdot4=12\text{ cm}^2", "12", True),
        (r"|z|=\sqrt{2}=1.41421356", r"\sqrt2", True),
        (r"\angle ABC=180^\circ-60^\circ=120^\circ", r"120^\circ", True),
        (r"\binom{5}{2}=\frac{5!}{2!3!}=10", "10", True),
        ("163", "p+q=118+45=163", True),
        ("a=b=c=3", "3", True),
        ("m+n=70+3=74", "74", False),
        ("m+n=73=74", "74", False),
        ("m+n=70+3=73", "70", False),
        ("x^2+y^2=25", "25", False),
        ("2x+y=0", "0", False),
        ("f(x)=0", "f(x)=2x", False),
    ],
    "qualifiers": [
        (r"f(x)=3x \text{ for all real } x", "f(x)=3x", True),
        ("f(x)=3x", r"f(x)=3x \text{ for all real } x", True),
        (r"f(x) = 3x, \text{ for all } x \in \mathbb{R}", "f(x)=3x", True),
        (r"f(x)=3x\ \forall x\in\mathbb{R}", "f(x)=3x", True),
        (r"\forall x\in\mathbb{R}, f(x)=3x", "f(x)=3x", True),
        (r"\text{For all real }x,\ f(x)=3x", "f(x)=3x", True),
        (r"f(x)=3x\ (x\in\mathbb{R})", "f(x)=3x", True),
        (r"f(x)=cx \text{ for any constant } c", "f(x)=cx", True),
        ("f(x)=cx", r"f(x)=cx \text{ for any constant } c", True),
        (r"f(x)=cx \text{ where } c \text{ is a constant}", "f(x)=cx", True),
        (r"f(x)=kx \text{ for any constant } k", r"f(x)=cx \text{ for any constant } c", True),
        (r"y=Ce^x \text{ for some constant } C", "y=Ce^x", True),
        (r"f(x)=x+c, c \text{ constant}", "f(x)=x+c", True),
        (r"x=k\pi,\ k\in\mathbb{Z}", r"k\pi", True),
        (r"x=k\pi \text{ where } k \text{ is an integer}", r"x=n\pi, n\in\mathbb{Z}", True),
        (r"f(n)=n+1 \text{ for all positive integers } n", "f(n)=n+1", True),
        (r"f(x)=ax+b \text{ for any real numbers } a, b", "f(x)=ax+b", True),
        ("f(x)=3x for all real x", "f(x)=3x", True),
        (r"f(x)=kx", "f(x)=cx", False),
        (r"f(x)=cx\text{ for any constant }c", "f(x)=3x", False),
        (r"f(x)=3x \text{ for any constant } c", "f(x)=cx", False),
        (r"f(x)=3x \text{ for } x>0", "f(x)=3x", False),
        (r"f(x)=3x \text{ if } x>0", "f(x)=3x", False),
        (r"f(x)=3x\text{ for no }x", "f(x)=3x", False),
        (r"f(x)=3x\text{ for some }x", "f(x)=3x", False),
        (r"x=k\pi, k\in\mathbb{N}", r"x=k\pi, k\in\mathbb{Z}", False),
        (r"f(n)=n \text{ for all even integers } n", r"f(n)=n \text{ for all odd integers } n", False),
    ],
    "bound names": [
        ("f(t)=3t", "f(x)=3x", True),
        ("g(y)=y^2", "g(x)=x^2", True),
        ("f(a,b)=a+b", "f(x,y)=x+y", True),
        (r"t\mapsto 3t", r"x\mapsto 3x", True),
        (r"f(t)=3t \text{ for all real } t", "f(x)=3x", True),
        (r"\{t\mid t>3\}", r"\{x\mid x>3\}", True),
        ("f(t)=3x", "f(x)=3x", False),
        ("f(t)=3t", "f(x)=2x", False),
        ("f(x,y)=x-y", "f(y,x)=x-y", False),
    ],
    "signs that no rule reads": [
        (r"\frac{\partial f}{\partial x}", "0", False),
        (r"\frac{\partial f}{\partial x}", r"\frac{\partial f}{\partial y}", False),
        (r"\frac{\partial f}{\partial x}", r"\frac{\partial g}{\partial x}", False),
        (r"1+\frac{\partial f}{\partial x}", r"\frac{\partial f}{\partial x}+1", True),
        (r"\frac{dy}{dx}", "0", False),
        (r"\frac{dy}{dx}=2x", "2x", True),
        (r"\partial_x f", r"\partial_y f", False),
        (r"\nabla\cdot F", r"\nabla\times F", False),
        (r"\nabla\cdot F", "F", False),
        (r"\nabla^2 f", r"\nabla f", False),
        (r"\vec a\cdot\vec b", r"\vec a\times\vec b", False),
        (r"\iint_D 2\,dA", r"\iint_R 2\,dA", False),
        (r"\iint_D 2\,dA", "2", False),
        (r"\iiint_E 1\,dV", r"\iint_D 1\,dA", False),
        (r"\int_C F\cdot dr", "0", False),
        (r"\oint_C 3\,dz", r"\oint_C 3\,d\bar z", False),
        (r"\oint_C 3\,dz", "3", False),
        (r"\int_0^1 x\,dx", r"\frac12", True),
        (r"\sum_{k=1}^{5}k", "15", True),
        ("E[X]^2", "E[X^2]", False),
        (r"\mathbb{E}[X]^2", r"\mathbb{E}[X^2]", False),
        ("E(X)^2", "E(X^2)", False),
        ("E[X^2]-E[X]^2", "-E[X]^2+E[X^2]", True),
        ("P(A|B)", "P(B|A)", False),
        ("f(x)^2", "f(x^2)", False),
        ("f(2x)", "2f(x)", False),
        ("f(x+y)", "f(x)+f(y)", False),
        ("f'(x)", "f(x)", False),
        ("f(x+1)", "f(1+x)", True),
        (r"\frac{h(a+b)}{2}", r"\frac{ha+hb}{2}", True),
        (r"P(1+r)^2", r"P(1+2r+r^2)", True),
        (r"2\pi r(r+h)", r"2\pi r^2+2\pi rh", True),
    ],
}  # fmt: skip
"""Kind → cases."""

DENIED_RESPONSES = [
    "The answer is not 3.", "The answer isn't 3", "The answer is never 3", "I don't think the answer is 3.", "Answer: not 3", "答案不是3",
    "The answer is 3? No.", "The answer cannot be 3", "The answer is anything but 3", "The wrong answer is 3", "The answer is 3 is wrong",
    "#### not 3", "It is not true that the answer is 3", "The answer is no longer 3.", "The answer is ≠ 3",
]  # fmt: skip
"""Whole responses that do not say 3."""
