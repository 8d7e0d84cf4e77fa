-- What an edge or device of Sparkplug B called its metrics when it was born: its messages
-- have numbers in place of names from then on. As the decoder wrote it, in JSON.
create table vp.sparkplug_birth (
    device text primary key,
    born_at timestamptz not null,
    names bytea not null
);
