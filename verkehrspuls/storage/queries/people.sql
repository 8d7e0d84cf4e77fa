-- Accounts, their roles, sessions and one-time links. See 0037_people.sql.

-- name: put_account
select shown.put_account(%(email)s, %(name)s) as account_id;

-- name: accounts
-- Accounts by e-mail, a role in a municipality, their id or a part of a name; null
-- selects all.
select a.account_id, a.email, a.name,
       case when a.disabled_at is not null then 'disabled'
            when a.has_password
                 or exists (select from identity i where i.account_id = a.account_id)
            then 'active'
            else 'invited' end as state,
       a.has_second_factor, a.created_at, a.disabled_at,
       coalesce((
           select jsonb_agg(jsonb_build_array(m.key, r.role) order by m.key, r.role)
           from account_role r
           left join municipality m using (municipality_id)
           where r.account_id = a.account_id), '[]') as roles
from account a
where (%(email)s::text is null or a.email = %(email)s)
  and (%(municipality)s::text is null or exists (
      select from account_role r join municipality m using (municipality_id)
      where r.account_id = a.account_id and m.key = %(municipality)s))
  and (%(account_id)s::integer is null or a.account_id = %(account_id)s)
  and (%(search)s::text is null
       or strpos(lower(a.name), %(search)s) > 0 or strpos(a.email, %(search)s) > 0)
order by a.email
limit %(limit)s offset %(skip)s;

-- name: count_people
-- People who can log in by themselves.
select count(*) as people from account where has_password and disabled_at is null;

-- name: lone_administrators
-- Municipalities that only one person administers, who can log in.
select m.key
from municipality m
join account_role r using (municipality_id)
join account a using (account_id)
where m.removed_at is null and r.role = 'administrator'
  and a.has_password and a.disabled_at is null
group by m.key
having count(*) = 1
order by m.key;

-- name: give_role
insert into account_role (account_id, municipality_id, role)
values (%(account_id)s,
        (select m.municipality_id from municipality m
         where m.key = %(municipality)s and m.removed_at is null),
        %(role)s)
-- what a group gave is given by hand from now on
on conflict (account_id, municipality_id, role) do update set by_provider = false;

-- name: take_role
delete from account_role r
where r.account_id = %(account_id)s and r.role = %(role)s
  and r.municipality_id is not distinct from (
      select m.municipality_id from municipality m where m.key = %(municipality)s);

-- name: disable_account
update account set disabled_at = coalesce(disabled_at, now())
where account_id = %(account_id)s;

-- name: enable_account
update account set disabled_at = null where account_id = %(account_id)s;

-- name: count_attempt
select shown.attempt(%(kind)s, %(subject)s, %(most)s, %(lockout)s, %(longest)s) as until;

-- name: password_salt
select shown.password_salt(%(email)s, %(usual)s) as salt;

-- part: new_session
row(%(sha256)s, %(lasts)s, %(idle)s, %(strict_roles)s::text[], %(address)s::inet,
    %(user_agent)s)::vp.new_session

-- name: log_in
select * from shown.log_in(%(email)s, %(proof)s, %(renewed)s, {{> new_session}});

-- name: find_session
select * from shown.session();

-- name: renew_session
select shown.renew_session(%(sha256)s, %(strict_roles)s::text[]) as changed;

-- name: end_session
select shown.end_session();

-- name: second_factors
select * from shown.second_factors();

-- name: second_factor
select * from shown.second_factor();

-- name: pass_second_factor
select shown.pass_second_factor(%(step)s, %(sha256)s, %(secret)s) as passed;

-- name: ways_to_prove
-- By what the person of this session can show who they are.
select a.has_password as password, f.codes, f.passkeys,
       (select max(i.linked_at) from identity i where i.account_id = a.account_id)
           as linked_at
from account a
cross join shown.second_factors() f
where a.account_id = shown.account();

-- name: pass_password
select shown.pass_password(%(proof)s, %(sha256)s) as passed;

-- name: change_password
select shown.change_password(%(new_hash)s) as changed;

-- name: list_sessions
select s.session_id, s.created_at, s.seen_at, s.expires_at, host(s.address) as address,
       s.user_agent
from session s
where s.account_id = %(account_id)s and s.expires_at > now()
order by s.seen_at desc, s.session_id;

-- name: end_sessions
delete from session s
where s.account_id = %(account_id)s
  and (%(only)s::bigint is null or s.session_id = %(only)s)
  and (%(but)s::bigint is null or s.session_id <> %(but)s);

-- name: put_link
-- Make a link in place of those for the same that were not used.
with older as (
    delete from account_link l
    where l.account_id = %(account_id)s and l.purpose = %(purpose)s and l.used_at is null
)
insert into account_link (
    sha256, account_id, purpose, forgets_second_factor, expires_at)
values (%(sha256)s, %(account_id)s, %(purpose)s, %(forgets_second_factor)s,
        now() + %(lasts)s)
returning expires_at;

-- name: find_link
select * from shown.link();

-- name: use_link
select * from shown.use_link(%(new_hash)s, %(name)s, {{> new_session}});

-- name: put_oidc_provider
-- Let who shows a credential speak for the provider; null: nobody.
with gone as (
    delete from vp.oidc_provider where %(sha256)s::bytea is null
)
insert into vp.oidc_provider (issuer, sha256)
select %(issuer)s, %(sha256)s where %(sha256)s::bytea is not null
on conflict (only_one) do update set issuer = excluded.issuer, sha256 = excluded.sha256;

-- name: begin_oidc_login
select shown.begin_oidc_login(
    %(state)s, %(browser)s, %(target)s, %(links)s, %(lasts)s);

-- name: take_oidc_login
select * from shown.take_oidc_login(%(state)s, %(browser)s);

-- name: log_in_oidc
select * from shown.log_in_oidc(
    %(subject)s, %(email)s, %(name)s, %(roles)s::jsonb, %(second_factor)s, %(sid)s,
    %(id_token)s, {{> new_session}});

-- name: note_oidc_proof
select shown.note_oidc_proof(%(session)s, %(at)s);

-- name: link_identity
select shown.link_identity(%(subject)s, %(session)s);

-- name: unlink_identity
delete from identity where account_id = %(account_id)s;

-- name: oidc_session
select * from shown.oidc_session();

-- name: end_oidc_sessions
select shown.end_oidc_sessions(
    %(subject)s, %(sid)s, %(jti)s, %(expires_at)s) as ended;
