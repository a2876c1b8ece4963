"""The order of what one connection asks in one room."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from gateroom.realtime.subscription import Subscription


@dataclass
class Lane:
    """A lane whose commands write down when they are answered."""

    answers: list[int] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)  # submitted, to be answered by `settle`
    asked: int = 0

    def __post_init__(self) -> None:
        self.lane = Subscription("desk")

    def publish(self) -> None:
        """One that runs beside others and is answered later."""
        number = self._next()

        def act() -> None:
            self.lane.started()
            self.in_flight.append(number)

        self.lane.beside(act)

    def publish_refused_by_broker(self) -> None:
        """One that is answered within the same call by a broker that is closed: nothing is in flight then."""
        self.settle(len(self.in_flight))
        number = self._next()

        def act() -> None:
            self.lane.started()
            if self.in_flight:
                self.in_flight.append(number)
            else:
                self.answers.append(number)
                self.lane.settled()

        self.lane.beside(act)

    def publish_not_allowed(self) -> None:
        """One that fails when its turn comes."""
        number = self._next()
        self.lane.beside(lambda: self.lane.next_up(lambda: self.answers.append(number)))

    def alone(self) -> None:
        """One that waits for those before it, and is answered at once."""
        number = self._next()
        self.lane.in_turn(lambda: self.answers.append(number))

    def slow(self) -> None:
        """One that waits for those before it, and then for SQL; `release` answers it."""
        number = self._next()

        def act() -> None:
            self.lane.settling = True
            self._waiting_for_sql = number

        self.lane.in_turn(act)

    def settle(self, count: int = 1) -> None:
        """Have the broker answer the oldest in flight."""
        for number in self.in_flight[:count]:
            self.answers.append(number)
            self.in_flight.remove(number)
            self.lane.settled()

    def release(self) -> None:
        if self.lane.settling:
            self.answers.append(self._waiting_for_sql)
            self.lane.settling = False
            self.lane.go_on()

    def finish(self) -> None:
        while self.lane.busy:
            self.settle(len(self.in_flight))
            self.release()

    def _next(self) -> int:
        self.asked += 1
        return self.asked


def test_publishes_run_side_by_side() -> None:
    lane = Lane()
    lane.publish()
    lane.publish()
    assert lane.in_flight == [1, 2]


def test_everything_else_waits_for_those_before_it_and_what_comes_later_waits_behind() -> None:
    lane = Lane()
    lane.publish()
    lane.alone()
    lane.publish()
    assert (lane.in_flight, lane.lane.waiting) == ([1], 2)
    lane.settle()
    assert (lane.answers, lane.in_flight) == ([1, 2], [3])


def test_while_one_waits_for_sql_all_wait() -> None:
    lane = Lane()
    lane.slow()
    lane.publish()
    lane.alone()
    assert (lane.answers, lane.in_flight) == ([], [])
    lane.release()
    assert (lane.answers, lane.in_flight) == ([1], [2])


def test_one_that_fails_in_its_turn_is_answered_after_those_in_flight() -> None:
    lane = Lane()
    lane.slow()
    lane.publish()
    lane.publish_not_allowed()
    lane.publish()
    lane.release()
    assert lane.answers == [1]
    lane.finish()
    assert lane.answers == [1, 2, 3, 4]


def test_a_long_queue_that_is_refused_at_once_does_not_pile_up_on_the_stack() -> None:
    lane = Lane()
    lane.slow()
    for _ in range(5000):
        lane.publish_refused_by_broker()
    lane.release()
    assert lane.answers == list(range(1, 5002))


def test_a_lane_with_nothing_left_to_answer_is_not_busy() -> None:
    lane = Lane()
    assert not lane.lane.busy
    lane.publish()
    assert lane.lane.busy
    lane.alone()
    lane.finish()
    assert not lane.lane.busy
    assert lane.lane.waiting == 0


ACTS: Sequence[Callable[[Lane], None]] = (
    Lane.publish,
    Lane.publish_refused_by_broker,
    Lane.publish_not_allowed,
    Lane.alone,
    Lane.slow,
    Lane.settle,
    Lane.release,
)


@given(st.lists(st.sampled_from(ACTS), max_size=40))
def test_answers_come_in_the_order_of_the_commands(acts: list[Callable[[Lane], None]]) -> None:
    lane = Lane()
    for act in acts:
        act(lane)
        assert lane.answers == sorted(lane.answers)
    lane.finish()
    assert lane.answers == list(range(1, lane.asked + 1))
