-- Channels whose readings may overlap, so that each worker looks where others wrote.

create table vp.uneven_channel (
    channel_id integer primary key references vp.channel on delete cascade,
    turn bigint not null default 1
);
comment on table vp.uneven_channel is
    'Channels whose readings did not all last equally long and begin in even steps. Of '
    'all others ingest knows that nothing overlaps, whichever worker wrote it. `turn` '
    'grows whenever a worker writes that was not the last one to do so.';
