"""The rollout state machine: one trajectory, pure, no I/O (START section 2, Hint-infer).

``next_action`` says what to do: `Generate`, `RunCode`, `InsertHint` or `Stop`; ``apply`` takes the result. One driver
serves rollouts, evaluation, the server and the tests. The trajectory is a list of spans of token ids, each with its
source. Text is decoded from the ids to search it, and never encoded back: training must see the very ids that the model
saw, and another tokenization of the same text would be something else.

Rules that every engine shares (the seam rule):

- Sampling pauses right after the token in which a trigger word or a fence line ends. That token stays whole.
- An end-of-thinking hint takes back the sampled token that ended it (``</think>``, or the end token where the whole
  turn is thinking), and a hint before a line takes back the line that was begun. These ids are kept in
  ``HintInfo.discarded_ids`` and count as spent.
- Inserted text is encoded alone. It must not merge with the tokens before it, which the model has produced already.
- An end token inside thinking ends the trajectory as ``ENDED_IN_THINKING``. Nothing is repaired.
- Only Python blocks that the model closed inside its thinking are run; after the thinking nothing is. A block is closed
  by a line that is its closing fence, and also by the end of the thinking right after that fence.
"""

from __future__ import annotations

import codecs

from selftaught.engines.base import Sampled, SampleEnd, SampleRequest, Score, Scoring
from selftaught.hints import HintChoice, HintPolicy, Occasion, On
from selftaught.hints.features import Features, Situation, trigger_features
from selftaught.records import ExecStatus, HintInfo, Problem, ProblemKind, Span, SpanSource, StopReason, ToolInfo
from selftaught.rollouts.actions import Action, Executed, Failed, Generate, InsertHint, Result, RunCode, Stop
from selftaught.rollouts.ledger import TokenLedger
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.text import NO_CALLS_LEFT, is_looping, output_block, repeated_stretch
from selftaught.rollouts.thinking import has_think_tags, thinking_is_over
from selftaught.rollouts.watch import WatchSets, halts, is_in, scoring_of, stop_texts, watched
from selftaught.tokens.codec import Codec, TokenSet
from selftaught.tokens.fences import Block, FenceScanner

CHECK_EVERY = 96
"""Tokens after which sampling pauses anyway, to look for loops."""
_TAIL_CHARS = 1_000
"""Characters of the thinking's end that triggers are searched in. The hint policy's own windows are shorter."""
_ROOM_AFTER_HINT = 16
"""A hint is inserted only if at least so many tokens of the budget remain after it: the model could not act on it."""


class RolloutState:
    """One trajectory under way."""

    def __init__(
        self,
        problem: Problem,
        prompt_ids: list[int],
        codec: Codec,
        settings: RolloutSettings,
        policy: HintPolicy | None = None,
        *,
        max_context: int = 1 << 30,
    ) -> None:
        self.problem, self.codec, self.settings, self.policy = problem, codec, settings, policy
        self.ledger = TokenLedger(prompt_ids, codec)
        self.budget = min(settings.sampling.max_tokens, max_context - len(prompt_ids))
        self.round = 0
        """End-of-thinking rounds so far."""
        self.stopped: Stop | None = None
        self.ended_naturally = False
        """True for a branch that ended its thinking while another went on."""
        self.think_tags = has_think_tags(codec, settings)
        self.watch = WatchSets(codec, policy.words if policy else (), think_tags=self.think_tags)
        self.in_answer = self.think_tags and thinking_is_over(prompt_ids, codec)
        self._code: str | None = None
        """Code of a closed block that waits to be run."""
        self._taken_back: list[int] = []
        """Ids that the engine has still to take back before the code is run."""
        self._hint: InsertHint | None = None
        """A hint that waits to be inserted. Never set together with ``_code``."""
        self._hint_is_round = False
        self._scanner = FenceScanner()
        # Incremental, since a token may end inside a character: its bytes are held until the next token completes it.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._tail = ""
        self._num_calls = 0
        self._scoring = scoring_of(settings.sampling.logprobs, policy)
        self._score: Score | None = None
        """Of the token that was sampled last."""
        self._notice_given = False
        """Whether the model has been told that no calls are left."""
        self._last_call_ok: bool | None = None
        self._last_output = ""
        if self.budget <= 0:
            self.stopped = Stop(StopReason.MAX_TOKENS, "the prompt fills the model's context")
        elif policy is not None and policy.waits_for(On.START) and not self.in_answer:
            choice = self._consider(On.START)
            if choice is not None:
                self._queue_hint(choice, [])

    # ----------------------------------------------------------------------------------------------------- the protocol

    def next_action(self) -> Action:
        """What to do now. Has no side effect."""
        if self.stopped is not None:
            return self.stopped
        if self._code is not None:
            return RunCode(self._code, len(self._taken_back))
        if self._hint is not None:
            return self._hint
        room = self.budget - self.ledger.num_tokens
        if room <= 0:
            return Stop(StopReason.MAX_TOKENS)
        tools, answer = self.settings.tools.enabled, self.in_answer
        request = SampleRequest(
            min(CHECK_EVERY, room),
            watched(self.watch, self._scanner, self.policy, in_answer=answer),
            self._banned(),
            None if answer else halts(self.watch, self.policy, tools=tools),
            () if answer else stop_texts(self.policy, tools=tools),
            scoring=Scoring.NONE if answer and self._scoring is Scoring.LAST else self._scoring,
        )
        return Generate(self.ledger.pending, request)

    def apply(self, result: Result) -> None:
        """Move on by the result of the last action."""
        if isinstance(result, Failed):
            self.stopped = Stop(result.reason, result.error)
        elif isinstance(result, Sampled):
            self._on_sampled(result)
        elif isinstance(result, Executed):
            self._on_executed(result.info)
        else:
            self._on_inserted()
        if self.stopped is None and self._code is None and self._hint is None and self.ledger.num_tokens >= self.budget:
            self.stopped = Stop(StopReason.MAX_TOKENS)

    def fork_natural(self) -> RolloutState:
        """A copy that goes without the hint which is waiting now, and ends its thinking here.

        It gives the trajectory of ``round`` rounds, while this one goes on to the next round. Both share all tokens so
        far.
        """
        twin = self._copy()
        twin._hint = None
        twin.ended_naturally = True
        if twin.policy is not None and twin.policy.decisions:
            last = twin.policy.decisions[-1]
            twin.policy.decisions[-1] = last.model_copy(
                update={"taken": False, "reason": f"branch that ends after {self.round} rounds"}
            )
        twin._end_thinking()
        return twin

    def spans(self) -> list[Span]:
        """The trajectory so far."""
        return self.ledger.build()

    @property
    def in_code(self) -> bool:
        """True while a Python block is open."""
        return not self.in_answer and self._scanner.block is not None and self._scanner.block.is_python

    # ---------------------------------------------------------------------------------------------------------- results

    def _on_sampled(self, sampled: Sampled) -> None:
        ids = sampled.token_ids
        self.ledger.add_sampled(ids, sampled.scores if self._scoring is Scoring.ALL else None)
        self._score = sampled.scores[-1] if sampled.scores else None
        if ids:
            if self.in_answer:
                if ids[-1] in self.codec.end_ids:
                    self.stopped = Stop(StopReason.ANSWERED)
            else:
                self._think(ids)
        if self.stopped is not None or self._code is not None or self._hint is not None:
            return
        if sampled.end is SampleEnd.CONTEXT:
            self.stopped = Stop(StopReason.MAX_TOKENS, "the model's context is full")
        elif is_looping(self.ledger.last.ids, self.settings.sampling.repetition_window) and not self._on_loop():
            self.stopped = Stop(StopReason.REPETITION)

    def _think(self, ids: list[int]) -> None:
        """Look at what was just sampled inside the thinking.

        Only its last token can matter: the engine pauses right after each token of the watched set.
        """
        last = ids[-1]
        is_control = is_in(self.watch.control, last)
        text = self._decoder.decode(self.codec.to_bytes(ids[:-1] if is_control else ids))
        self._tail = (self._tail + text)[-_TAIL_CHARS:]
        closed = self._scanner.feed(text, SpanSource.MODEL)
        if is_control:
            self._on_control(last)
            return
        # A closing fence comes before the triggers: a hint must not separate a block from its output.
        runnable = [block for block in closed if block.is_runnable]
        if runnable:
            self._on_block(runnable[-1].code)
        elif self._scanner.block is None and self.policy is not None:
            self._on_text(last)

    def _on_control(self, token_id: int) -> None:
        """An end token, or the end of thinking."""
        if self.think_tags and token_id != self.codec.think_close_id:
            self.stopped = Stop(StopReason.ENDED_IN_THINKING)
            return
        # A closing fence needs the end of its line, which the end of the thinking is. Such a block is run first: only
        # after its output does the thinking end, and only then is an end-of-thinking hint considered.
        block = self._scanner.finish(SpanSource.MODEL)
        if block is not None and block.is_runnable and self._runs_last(block):
            self._code, self._taken_back = block.code, [token_id]
            self.ledger.take_back(1)
            return
        choice = None
        # No hint inside an open block, where the model writes code and does not conclude anything.
        if self._scanner.block is None and self.policy is not None:
            choice = self._consider(On.END_OF_THINKING) or self._consider(On.BEFORE_FINAL)
        if choice is None or not self._queue_hint(choice, [token_id]):
            self._end_thinking()

    def _runs_last(self, block: Block) -> bool:
        """Whether the block that the thinking ends with is run.

        A block that a hint opened is a call, since the hint asked for one. Where the whole turn is thinking, a block
        that the model opened itself may also be its answer: for a problem that asks for a program it is left alone.
        """
        tools = self.settings.tools
        if not tools.enabled or self._num_calls >= tools.max_tool_calls:
            return False
        if self.ledger.num_tokens + _ROOM_AFTER_HINT > self.budget:
            return False
        if self.think_tags or block.opened_by is SpanSource.HINT or tools.last_block == "run":
            return True
        return tools.last_block == "auto" and self.problem.kind is not ProblemKind.CODE

    def _end_thinking(self) -> None:
        self.in_answer = True
        if not self.think_tags:
            self.stopped = Stop(StopReason.ANSWERED)

    def _on_block(self, code: str) -> None:
        """A Python block that the model closed in its thinking."""
        if not self.settings.tools.enabled:
            return
        if self._num_calls < self.settings.tools.max_tool_calls:
            self._code = code
        elif self._notice_given or self.settings.tools.at_call_cap == "stop":
            self.stopped = Stop(StopReason.MAX_TOOL_CALLS)
        else:
            self._give_notice()

    def _on_text(self, last: int) -> None:
        """Plain text in thinking: insert a hint where a trigger fires.

        At most one hint an occasion. The order is from the most specific trigger to the most general one.
        """
        policy = self.policy
        assert policy is not None
        choice = None
        if is_in(self.watch.words, last) and policy.word_at_end(self._tail):
            choice = self._consider(On.WORD)
        if choice is None and policy.waits_for(On.REGEX):
            choice = self._consider(On.REGEX)
        if choice is None and self._tail.endswith("\n\n") and policy.waits_for(On.PARAGRAPH):
            choice = self._consider(On.PARAGRAPH)
        if choice is None and self._tail.endswith("\n") and policy.waits_for(On.BUDGET):
            choice = self._consider(On.BUDGET)
        if choice is not None:
            self._queue_hint(choice, self.ledger.unfinished_line() if choice.before_line else [])

    def _on_loop(self) -> bool:
        """The model goes round in circles: put a hint in place of what repeats, or return False."""
        policy, window = self.policy, self.settings.sampling.repetition_window
        if self.in_answer or policy is None or not policy.waits_for(On.REPETITION):
            return False
        stretch = repeated_stretch(self.ledger.last.ids, window)
        before = self._scanner, self._tail
        text, self._scanner = self.ledger.reread(len(stretch))
        self._tail = text[-_TAIL_CHARS:]
        if self._scanner.block is None:
            choice = self._consider(On.REPETITION)
            if choice is not None and self._queue_hint(choice, stretch):
                return True
        self._scanner, self._tail = before
        return False

    def _on_executed(self, info: ToolInfo) -> None:
        self._code = None
        if self._taken_back:
            info = info.model_copy(update={"discarded_ids": self._taken_back})
        self._num_calls += 1
        settings = self.settings
        text = output_block(
            info.output, info.status, max_chars=settings.tools.max_output_chars, timeout_s=settings.tools.tool_timeout_s
        )
        if self._taken_back:  # the closing fence has no newline
            text, self._taken_back = f"\n{text}", []
        self._insert(SpanSource.TOOL, self.codec.encode(text), text, tool=info)
        self._last_call_ok = info.status is ExecStatus.OK and bool(info.output.strip())
        self._last_output = info.output
        if self._num_calls >= settings.tools.max_tool_calls and settings.tools.at_call_cap == "notice":
            self._give_notice()
        elif info.status is not ExecStatus.OK and self.policy is not None and self.policy.waits_for(On.TOOL_ERROR):
            choice = self._consider(On.TOOL_ERROR)
            if choice is not None:
                self._queue_hint(choice, [])

    def _on_inserted(self) -> None:
        action = self._hint
        assert action is not None
        self._hint = None
        self.ledger.take_back(action.num_discarded)
        if self._hint_is_round:
            self.round += 1
        self._insert(SpanSource.HINT, action.token_ids, action.text, hint=action.info)

    # -------------------------------------------------------------------------------------------------------- internals

    def _banned(self) -> TokenSet | None:
        """Tokens that are not offered to the sampler: without tools, code fences inside the thinking.

        Where the whole turn is thinking, a problem that may ask for a program is excepted: its answer is a fenced block.
        """
        may_be_program = self.problem.kind is ProblemKind.CODE or not self.problem.has_reference
        is_offered = self.settings.tools.enabled or self.in_answer or (may_be_program and not self.think_tags)
        return None if is_offered else self.watch.banned

    def _consider(self, on: On) -> HintChoice | None:
        if self.policy is None:
            return None
        return self.policy.consider(
            Occasion(
                on=on,
                tail=self._tail,
                num_tokens=self.ledger.num_tokens,
                max_tokens=self.budget,
                num_calls=self._num_calls,
                calls_left=self.settings.tools.max_tool_calls - self._num_calls,
                last_call_ok=self._last_call_ok,
                last_output=self._last_output,
                features=self._features,
            )
        )

    def _features(self, place: str) -> Features:
        """What is known now, at ``place``."""
        return trigger_features(
            self.problem,
            Situation(
                place,
                self.ledger.text_after_prompt(self.watch.control),
                self.ledger.num_tokens,
                self.budget,
                self._num_calls,
                self.settings.tools.max_tool_calls - self._num_calls,
                self._last_call_ok,
                self.ledger.scored(self._score),
            ),
        )

    def _queue_hint(self, choice: HintChoice, discarded: list[int]) -> bool:
        """Prepare the insertion; False if the budget has no room for it."""
        ids = self.codec.encode(choice.text)
        if self.ledger.num_tokens + len(ids) + _ROOM_AFTER_HINT > self.budget:
            return False
        if choice.before_line and discarded:
            # The scanner and the tail have read the line that is taken back; both forget it.
            begun = self.codec.decode(discarded)
            self._scanner.drop(len(begun))
            self._tail = self._tail.removesuffix(begun)
        self._hint_is_round = choice.is_round
        branch = self.settings.hints.record_rounds and choice.is_round
        self._hint = InsertHint(choice.info(discarded), ids, choice.text, len(discarded), branch)
        return True

    def _give_notice(self) -> None:
        """Insert the notice that no calls are left."""
        self._notice_given = True
        text = NO_CALLS_LEFT[self.settings.hints.language]
        self._insert(SpanSource.CONTROL, self.codec.encode(text), text)

    def _insert(
        self, source: SpanSource, ids: list[int], text: str, hint: HintInfo | None = None, tool: ToolInfo | None = None
    ) -> None:
        self.ledger.insert(source, ids, text, hint, tool)
        self._decoder.reset()  # bytes of a character that the insertion cuts in two never come
        self._tail = (self._tail + text)[-_TAIL_CHARS:]
        if source is SpanSource.HINT:
            # A hint may open a block that the model goes on writing.
            self._scanner.feed(text, SpanSource.HINT)
        else:
            # An output is a closed block of its own, and its text must not be read as Markdown.
            self._scanner.reset()

    def _copy(self) -> RolloutState:
        # Everything is shared but what a trajectory changes in place.
        twin = object.__new__(RolloutState)
        twin.__dict__.update(self.__dict__)
        twin.ledger = self.ledger.copy()
        twin.policy = self.policy.fork() if self.policy is not None else None
        twin._scanner = self._scanner.copy()
        twin._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return twin
