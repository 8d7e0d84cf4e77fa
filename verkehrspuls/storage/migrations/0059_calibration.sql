-- What the counts of an installation are multiplied with, by date; readings stay.
alter table vp.installation
    add column calibrations jsonb not null default '[]'
        check (jsonb_typeof(calibrations) = 'array');
comment on column vp.installation.calibrations is
    'Factors of its counts, each valid until the next one begins.';
select vp.show('installation', vp.seen_by('channel'), '{mapping}',
               vp.seen_by('own sensor'));
