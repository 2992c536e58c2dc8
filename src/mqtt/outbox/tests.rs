//! What the outbox keeps, drops, sends again and counts.

use proptest::prelude::*;

use super::*;
use crate::mqtt::Content;

pub(super) fn at(second: u64) -> Stamp {
    Stamp::after_origin(Duration::from_secs(second))
}

pub(super) fn message(class: Class, topic: &str, payload: &str) -> Message {
    Message {
        topic: topic.into(),
        payload: payload.to_owned().into(),
        class,
        retain: class != Class::Event,
        content: Content::Text,
        expiry: None,
        correlation: None,
    }
}

/// Hands out all there is, as `payload payload`, leaving it under way.
fn drain(outbox: &mut Outbox) -> (String, Vec<Ticket>) {
    let mut sent = Vec::new();
    while let Some(Next::Send(ticket, message)) = outbox.next(at(0), usize::MAX) {
        sent.push((String::from_utf8(message.payload.to_vec()).unwrap(), ticket));
    }
    let (payloads, tickets): (Vec<_>, Vec<_>) = sent.into_iter().unzip();
    (payloads.join(" "), tickets)
}

fn outbox(limits: Limits, messages: &[(Class, &str, &str)]) -> Outbox {
    let mut outbox = Outbox::new(limits);
    for (class, topic, payload) in messages {
        outbox.offer(message(*class, topic, payload), at(0));
    }
    outbox
}

#[test]
fn messages_leave_in_order_and_of_a_state_only_the_newest() {
    let mut outbox = outbox(
        Limits::default(),
        &[
            (Class::Answer, "a", "a1"),
            (Class::State, "s", "s1"),
            (Class::Event, "e", "e1"),
            (Class::Answer, "a", "a2"),
            (Class::State, "s", "s2"),
            (Class::Event, "e", "e2"),
        ],
    );
    let (sent, tickets) = drain(&mut outbox);
    assert_eq!(sent, "a1 s2 e1 a2 e2");
    assert_eq!(outbox.losses().of(Loss::Replaced, Class::State), 1);
    assert!(!outbox.is_empty() && outbox.bytes() > 0);
    tickets.into_iter().for_each(|ticket| outbox.arrived(ticket));
    assert!(outbox.is_empty());
    assert_eq!(outbox.bytes(), 0);
}

#[test]
fn what_empties_a_topic_leaves_after_all_that_filled_it() {
    // cleared, asked again and answered, and cleared for good, before the broker is there
    let messages =
        [(Class::Status, "a", ""), (Class::Answer, "a", "a1"), (Class::Status, "s", "s1"), (Class::Status, "a", "")];
    let mut outbox = outbox(Limits::default(), &messages);
    let (sent, _) = drain(&mut outbox);
    assert_eq!(sent, "a1 s1 ", "the first clearing is replaced by the second, and in the second's place");
    assert_eq!(outbox.losses().of(Loss::Replaced, Class::Status), 1);
}

#[test]
fn no_more_are_under_way_than_may_be() {
    let limits = Limits { in_flight: 2, ..Limits::default() };
    let mut outbox = outbox(limits, &[(Class::Event, "e", "1"), (Class::Event, "e", "2"), (Class::Event, "e", "3")]);
    let (sent, tickets) = drain(&mut outbox);
    assert_eq!(sent, "1 2");
    outbox.arrived(tickets[1]);
    assert_eq!(drain(&mut outbox).0, "3");
}

#[test]
fn what_was_under_way_comes_back_before_all_that_came_later() {
    let mut outbox = outbox(
        Limits::default(),
        &[(Class::Event, "e", "e1"), (Class::State, "s", "s1"), (Class::State, "t", "t1"), (Class::Event, "e", "e2")],
    );
    let (_, tickets) = drain(&mut outbox);
    outbox.arrived(tickets[3]);
    outbox.offer(message(Class::Event, "e", "e3"), at(1));
    outbox.offer(message(Class::State, "s", "s2"), at(1));
    outbox.connection_lost();
    // The older state gives way to the newer one, which keeps its own place.
    assert_eq!(drain(&mut outbox).0, "e1 t1 e3 s2");
    assert_eq!(outbox.losses().by(Loss::Replaced), 1);
}

#[test]
fn of_two_states_under_way_the_newer_one_comes_back() {
    let mut outbox = outbox(Limits::default(), &[(Class::State, "s", "s1"), (Class::Event, "e", "e1")]);
    assert_eq!(drain(&mut outbox).0, "s1 e1");
    outbox.offer(message(Class::State, "s", "s2"), at(1));
    outbox.offer(message(Class::Status, "c", "c1"), at(1));
    outbox.offer(message(Class::Status, "c", ""), at(1));
    assert_eq!(drain(&mut outbox).0, "s2 ");
    outbox.connection_lost();
    outbox.connected(false, at(2));
    assert_eq!(drain(&mut outbox).0, "e1 s2 ");
    assert_eq!(outbox.losses().of(Loss::Replaced, Class::State), 1);
}

/// A broker ends the connection of whoever publishes on a topic that it does not bear, and a reply's is a stranger's choice.
#[test]
fn a_reply_that_was_under_way_does_not_come_back() {
    let mut outbox = outbox(Limits::default(), &[(Class::Event, "e", "e1")]);
    outbox.offer(Message { retain: false, ..message(Class::Answer, "r/a/a/a", "r1") }, at(0));
    assert_eq!(drain(&mut outbox).0, "e1 r1");
    outbox.connection_lost();
    assert_eq!(drain(&mut outbox).0, "e1");
    assert_eq!(outbox.losses().of(Loss::Refused, Class::Answer), 1);
}

#[test]
fn a_new_connection_gets_states_again_and_a_forgetful_broker_all_that_is_retained() {
    for (forgot, expected) in [(false, "a2 s1 c1"), (true, "a2 b1 s1 c1")] {
        let mut outbox = outbox(
            Limits::default(),
            &[
                (Class::Answer, "a", "a1"),
                (Class::Answer, "b", "b1"),
                (Class::State, "s", "s1"),
                (Class::Status, "t/status", "c1"),
                (Class::State, "gone", "x"),
                (Class::State, "gone", ""),
                (Class::Event, "e", "e1"),
            ],
        );
        let (sent, tickets) = drain(&mut outbox);
        assert_eq!(sent, "a1 b1 s1 c1  e1");
        tickets.into_iter().for_each(|ticket| outbox.arrived(ticket));
        outbox.offer(message(Class::Answer, "a", "a2"), at(1));
        outbox.connected(forgot, at(2));
        assert_eq!(drain(&mut outbox).0, expected);
    }
}

#[test]
fn what_has_expired_is_not_told_again() {
    let mut outbox = Outbox::new(Limits::default());
    let expiry = Some(Duration::from_secs(6));
    outbox.offer(Message { expiry, ..message(Class::Answer, "a", "a1") }, at(0));
    let tickets = drain(&mut outbox).1;
    outbox.arrived(tickets[0]);
    outbox.connected(true, at(4));
    let Some(Next::Send(ticket, again)) = outbox.next(at(4), usize::MAX) else { panic!("nothing is told again") };
    assert_eq!(again.expiry, Some(Duration::from_secs(2)));
    outbox.arrived(ticket);
    outbox.connected(true, at(6));
    assert!(outbox.is_empty());
}

#[test]
fn when_full_captions_go_first_and_events_last() {
    let one = Entry::new(message(Class::Event, "x", "12"), at(0)).bytes();
    let limits = Limits { bytes: 4 * one, ..Limits::default() };
    let mut outbox = outbox(
        limits,
        &[
            (Class::Event, "e", "e1"),
            (Class::Caption, "c", "c1"),
            (Class::Caption, "c", "c2"),
            (Class::State, "s", "s1"),
            (Class::Answer, "a", "a1"),
        ],
    );
    assert_eq!(outbox.losses().of(Loss::Full, Class::Caption), 1);
    for n in 2..=4 {
        outbox.offer(message(Class::Event, "e", &format!("e{n}")), at(0));
    }
    assert_eq!(outbox.losses().of(Loss::Full, Class::Caption), 2);
    assert_eq!(outbox.losses().of(Loss::Full, Class::Answer), 1);
    assert_eq!(outbox.losses().of(Loss::Full, Class::State), 1);
    // Nothing is worth less than a new caption among events: it is given up itself.
    outbox.offer(message(Class::Caption, "c", "c3"), at(0));
    assert_eq!(outbox.losses().of(Loss::Full, Class::Caption), 3);
    assert!(outbox.bytes() <= limits.bytes);
    assert_eq!(drain(&mut outbox).0, "e1 e2 e3 e4");
}

#[test]
fn a_message_larger_than_the_outbox_costs_no_other() {
    let limits = Limits { bytes: 1000, ..Limits::default() };
    let mut outbox = outbox(limits, &[(Class::Caption, "c", "c1"), (Class::Event, "e", &"x".repeat(2000))]);
    assert_eq!(outbox.losses().of(Loss::Full, Class::Event), 1);
    assert_eq!(drain(&mut outbox).0, "c1");
}

#[test]
fn old_answers_and_events_are_given_up_and_states_are_not() {
    let limits = Limits { age: Duration::from_secs(60), ..Limits::default() };
    let mut outbox =
        outbox(limits, &[(Class::Event, "e", "e1"), (Class::State, "s", "s1"), (Class::Answer, "a", "a1")]);
    outbox.offer(message(Class::Event, "e", "e2"), at(61));
    assert_eq!(outbox.losses().by(Loss::TooOld), 2);
    assert_eq!(drain(&mut outbox).0, "s1 e2");
}

#[test]
fn of_a_topic_whose_retained_message_was_given_up_the_next_connection_gets_the_last() {
    let retained = |topic: &str, payload: &str| Message { retain: true, ..message(Class::Answer, topic, payload) };
    let limits = Limits { age: Duration::from_secs(60), ..Limits::default() };
    let mut outbox = Outbox::new(limits);
    for (second, topic, payload) in [(0, "a", "a1"), (1, "b", "b1"), (2, "a", "a2")] {
        outbox.offer(retained(topic, payload), at(second));
    }
    let tickets = drain(&mut outbox).1;
    outbox.arrived(tickets[1]); // b1
    outbox.connection_lost();
    outbox.offer(retained("c", "c1"), at(90));
    assert_eq!(outbox.losses().by(Loss::TooOld), 2, "a1 and a2");
    outbox.connected(false, at(91));
    assert_eq!(drain(&mut outbox).0, "c1 a2", "and not b1, which the broker holds");
    outbox.connection_lost();
    outbox.connected(false, at(92));
    assert_eq!(drain(&mut outbox).0, "c1 a2", "they come back as all that was under way, once");
}

#[test]
fn a_message_the_broker_cannot_or_will_not_take_is_given_up_once_and_for_all() {
    let mut outbox = outbox(
        Limits::default(),
        &[(Class::State, "s", &"x".repeat(500)), (Class::Status, "t", "t1"), (Class::Event, "e", "e1")],
    );
    let Some(Next::TooLarge { topic, size }) = outbox.next(at(0), 400) else { panic!("it should not fit") };
    assert_eq!((&*topic, size > 500), ("s", true));
    let (sent, tickets) = drain(&mut outbox);
    assert_eq!(sent, "t1 e1");
    assert_eq!(outbox.refused(tickets[0]).as_deref(), Some("t"));
    outbox.arrived(tickets[1]);
    assert_eq!((outbox.losses().by(Loss::TooLarge), outbox.losses().by(Loss::Refused)), (1, 1));
    outbox.connected(true, at(1));
    assert!(outbox.is_empty());
    assert_eq!(outbox.bytes(), 0);
}

#[test]
fn a_connection_ended_for_a_packets_size_costs_the_largest_under_way() {
    let mut outbox = outbox(Limits::default(), &[(Class::Event, "e", "e1"), (Class::Answer, "a", &"x".repeat(99))]);
    drain(&mut outbox);
    assert_eq!(outbox.give_up_largest().as_deref(), Some("a"));
    outbox.connection_lost();
    assert_eq!(drain(&mut outbox).0, "e1");
}

#[derive(Debug, Clone)]
enum Step {
    Offer(usize, usize, usize),
    Send,
    Arrive(usize),
    Refuse(usize),
    Lose,
    Connect(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..Class::ALL.len(), 0..3_usize, 0..900_usize).prop_map(|(class, topic, size)| Step::Offer(class, topic, size)),
        4 => Just(Step::Send),
        3 => (0..8_usize).prop_map(Step::Arrive),
        1 => (0..8_usize).prop_map(Step::Refuse),
        1 => Just(Step::Lose),
        1 => any::<bool>().prop_map(Step::Connect),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    /// Whatever happens: nothing vanishes uncounted, the bounds hold, and events leave in order.
    #[test]
    fn every_message_arrives_waits_or_is_counted(steps in steps()) {
        let limits = Limits { bytes: 4000, age: Duration::from_secs(30), in_flight: 4 };
        let mut outbox = Outbox::new(limits);
        let (mut under_way, mut offered, mut arrived, mut newest_event) = (Vec::new(), 0, 0, None);
        for (second, step) in steps.into_iter().enumerate() {
            let now = at(second as u64);
            match step {
                Step::Offer(class, topic, size) => {
                    let class = Class::ALL[class];
                    let topic = format!("{class:?}/{topic}");
                    outbox.offer(message(class, &topic, &format!("{second:04}{}", "x".repeat(size))), now);
                    offered += 1;
                }
                Step::Send => match outbox.next(now, 800) {
                    Some(Next::Send(ticket, message)) => {
                        if message.class == Class::Event {
                            let stamp = message.payload[..4].to_vec();
                            prop_assert!(newest_event.as_ref().is_none_or(|newest| *newest < stamp));
                            newest_event = Some(stamp);
                        }
                        prop_assert!(message.packet_size() <= 800);
                        under_way.push(ticket);
                    }
                    Some(Next::TooLarge { size, .. }) => prop_assert!(size > 800),
                    None => {}
                },
                Step::Arrive(n) if n < under_way.len() => {
                    outbox.arrived(under_way.remove(n));
                    arrived += 1;
                }
                Step::Refuse(n) if n < under_way.len() => prop_assert!(outbox.refused(under_way.remove(n)).is_some()),
                Step::Lose => {
                    outbox.connection_lost();
                    under_way.clear();
                    newest_event = None;
                }
                Step::Connect(forgot) if under_way.is_empty() => {
                    let before = outbox.len() + losses(&outbox);
                    outbox.connected(forgot, now);
                    offered += outbox.len() + losses(&outbox) - before;
                }
                _ => {}
            }
            prop_assert!(under_way.len() <= limits.in_flight && outbox.bytes() <= limits.bytes);
            prop_assert_eq!(offered, arrived + outbox.len() + losses(&outbox));
        }
        outbox.connection_lost();
        while let Some(next) = outbox.next(at(0), usize::MAX) {
            let Next::Send(ticket, _) = next else { panic!("all fits") };
            outbox.arrived(ticket);
        }
        prop_assert_eq!(outbox.bytes(), 0);
    }
}

fn losses(outbox: &Outbox) -> usize {
    Loss::ALL.into_iter().map(|loss| outbox.losses().by(loss) as usize).sum()
}
