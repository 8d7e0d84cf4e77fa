-- Cases that group what detectors find on several channels, who decided what and when,
-- and alerts that wait to be sent.

-- What a detector found on one channel over consecutive times.
create table vp.case_member (
    case_member_id bigint generated always as identity primary key,
    -- NULL only until the transaction that wrote it groups it
    anomaly_case_id bigint references vp.anomaly_case,
    channel_id integer not null references vp.channel,
    detector text not null,
    began timestamptz not null,
    ended timestamptz not null,
    observed real,
    usual real,
    score real not null,
    reason text not null,
    withdrawn_at timestamptz,
    unique (channel_id, detector, began),
    check (began < ended)
);
create index on vp.case_member (anomaly_case_id);
comment on table vp.case_member is 'Evidence of a case: one detector, one channel.';

insert into vp.case_member (
    anomaly_case_id, channel_id, detector, began, ended, observed, usual, score, reason,
    withdrawn_at)
select anomaly_case_id, channel_id, detector, began, ended, observed, usual, score,
       reason, withdrawn_at
from vp.anomaly_case;

-- A case shows its leading member; begin and end are those of all members together.
alter table vp.anomaly_case
    drop constraint anomaly_case_channel_id_detector_began_key,
    add column severity text not null default 'low'
        check (severity in ('low', 'medium', 'high')),
    add column detectors text[] not null default '{}',
    add column channels integer not null default 1,
    add column sites integer not null default 1;
update vp.anomaly_case set detectors = array[detector];
create index on vp.anomaly_case (ended)
    where withdrawn_at is null and state in ('suspected', 'confirmed');

-- What became of a case: never changed, never deleted.
create table vp.case_event (
    case_event_id bigint generated always as identity primary key,
    anomaly_case_id bigint not null references vp.anomaly_case,
    at timestamptz not null default now(),
    kind text not null
        check (kind in ('opened', 'raised', 'withdrawn', 'returned', 'decided', 'comment')),
    -- a person's name, or `detectors`
    who text not null check (length(who) between 1 and 200),
    state text,
    effect text,
    severity text,
    comment text not null default '' check (length(comment) <= 10000)
);
create index on vp.case_event (anomaly_case_id, case_event_id);

-- Messages to be sent: written in the transaction of the change that they tell of.
create table vp.alert (
    alert_id bigint generated always as identity primary key,
    case_event_id bigint not null references vp.case_event,
    anomaly_case_id bigint not null references vp.anomaly_case,
    municipality_id integer not null references vp.municipality,
    destination text not null check (destination in ('webhook', 'email')),
    created_at timestamptz not null default now(),
    due_at timestamptz not null,
    attempts integer not null default 0,
    sent_at timestamptz,
    -- after the last attempt: why it was given up
    given_up text,
    unique (case_event_id, destination)
);
create index on vp.alert (due_at) where sent_at is null and given_up is null;

-- What a token is for: sending readings, or deciding cases.
alter table vp.api_token
    add column purpose text not null default 'readings'
        check (purpose in ('readings', 'cases'));

-- Local days of which hours were computed, until the days are judged as a whole.
create table vp.stale_case_day (
    municipality_id integer not null references vp.municipality,
    day date not null,
    primary key (municipality_id, day)
);
