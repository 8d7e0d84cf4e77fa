-- Values that matter at a channel, by their name to show: stages of a gauge.
alter table vp.channel add column thresholds jsonb not null default '{}';
